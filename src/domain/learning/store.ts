import type { Counted, DayCount, Judged, Scores } from './scores.ts'

/** What apps with a learned route have learned. */
export type LearningStore = {
  /** Apps whose policy has `learnedRoute`, by id, each with the version of its scores; 0 for none. */
  apps(query: { after: string; limit: number }): Promise<{ appId: string; version: number }[]>
  /** Null before anything was counted. */
  scores(appId: string): Promise<KeptScores | null>
  /**
   * Live verifications with ids from `after` up to `before`, without both, in their order, each with
   * the tries of its deliveries whose endpoint was chosen. `dayMs`: the length of a day of `seen`.
   */
  judged(query: JudgedQuery): Promise<Judged[]>
  /** Writes what was counted, unless the scores have another version by now; then false. */
  count(command: CountCommand): Promise<boolean>
  /** Sums over days from `from` up to `to`, without `to`, the greatest first. */
  totals(query: TotalsQuery): Promise<Total[]>
}

/** `after`: the id of the last verification that was counted in them. */
export type KeptScores = { version: number; after: string; scores: Scores }

export type JudgedQuery = {
  appId: string
  after: string
  before: string
  dayMs: number
  limit: number
}

export type CountCommand = {
  appId: string
  /** 0 for none. */
  expectedVersion: number
  after: string
  scores: Scores
  seen: { day: number; recipientKey: Uint8Array }[]
  counts: DayCount[]
  /** The counts of these groups become those of `to`, for days from `from` up to `before`, without it. */
  folded: Counted['folded'] & { to: string }
}

export type TotalsQuery = { appId: string | null; from: number; to: number; limit: number }
export type Total = Omit<DayCount, 'day'> & { appId: string }
