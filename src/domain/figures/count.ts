import type { EventType } from '../event.ts'
import { dayMs, hourMs } from '../verification/limits.ts'
import type { Begun } from './store.ts'
import { addTime, addTimes, type Times } from './times.ts'

/**
 * What the overview shows is counted from verifications, tries and events that are stored anyway. A
 * verification counts in the time of its start, whenever the rest happens. Counted twice is nothing:
 * each verification has one start and ends once.
 */

/** The spans that counts are kept for, and how long. */
export const spans = [
  { spanMs: 300_000, keptMs: 2 * dayMs },
  { spanMs: hourMs, keptMs: 32 * dayMs },
  { spanMs: dayMs, keptMs: 400 * dayMs },
] as const

/** Those of which small domains are taken out; the others are gone soon anyway. */
export const spansKeptLong = spans.filter(({ spanMs }) => spanMs >= hourMs)

/** What verifications are told apart by. */
export const parts = ['total', 'app', 'channel', 'locale', 'domain'] as const
export type Part = (typeof parts)[number]

/** `scope`: the id of an app, or `allApps`. */
export type Slot = { scope: string; spanMs: number; at: number }
export type FigureKey = Slot & { part: Part; value: string }

export type Counts = { started: number; handedOver: number; approved: number; failed: number }

/** With the times from the start of a verification to its first hand-over, and to its approval. */
export type Sum = Counts & { handOverTimes: Times; approvalTimes: Times }

export type Figure = FigureKey &
  Sum & {
    /**
     * Of a domain on one day: hashes of its first recipients, until there are enough of them to name
     * the domain, or the day is over. Null for everything else.
     */
    recipients: string[] | null
  }

export const allApps = ''
/** Where a value counts that is not told apart. */
export const otherValue = 'other'
/** The most values of a part in a slot. */
const valuesMax: Record<Part, number> = { total: 1, app: 100, channel: 20, locale: 40, domain: 100 }
/** A domain of fewer recipients on a day is not named once that day is over. */
export const recipientsMin = 20
/** A day is over this long after its last verification was counted. */
const dayClosesMs = hourMs

/** Verifications are counted at this age, so that what runs on another node is committed by then. */
export const countedAfterMs = 120_000
/**
 * A hand-over within this time is counted with the start, a later one with the end: both see the same
 * times, so that one of them counts it.
 */
const promptMs = 60_000

/** The events with which a verification ends; each has exactly one of them. */
export const ends: readonly EventType[] = [
  'verification.approved',
  'verification.canceled',
  'verification.exhausted',
  'verification.expired',
]

/** A short keyed hash of a recipient, which tells them apart on this day only. */
export type HashRecipient = (day: number, recipientKey: Uint8Array) => string

type Known = { figures: Figure[]; countedUntil: number; hash: HashRecipient }

/** Counts verifications into the figures of their slots; answers those that have changed. */
export function createCounting({ figures, countedUntil, hash }: Known) {
  const byKey = new Map(figures.map((figure) => [keyOf(figure), figure]))
  const values = new Map<string, number>()
  for (const figure of figures) countValue(values, figure)
  const changed = new Set<Figure>()
  const placed = new Map<string, Figure[]>()

  function placeOf(slot: Slot, part: Part, value: string): Figure {
    const known = byKey.get(keyOf({ ...slot, part, value }))
    if (known) return known
    const isNew = part !== 'domain' || !isOver(slot.at, countedUntil)
    const isFull = (values.get(`${slotKey(slot)} ${part}`) ?? 0) >= valuesMax[part]
    if (value !== otherValue && (!isNew || isFull)) return placeOf(slot, part, otherValue)
    const figure = newFigure({ ...slot, part, value })
    byKey.set(keyOf(figure), figure)
    countValue(values, figure)
    return figure
  }

  /** Every figure that this verification counts in; many verifications have the same. */
  function figuresOf(begun: Begun): Figure[] {
    const { appId, createdAt, channel, locale, to } = begun
    const at = slotStart(createdAt, spans[0].spanMs)
    const key = `${appId} ${at} ${channel} ${locale} ${to.slice(to.lastIndexOf('@') + 1)}`
    const known = placed.get(key)
    if (known) return known
    const found = slotsOf(begun).flatMap((slot) =>
      partsOf(begun, slot).map(([part, value]) => placeOf(slot, part, value)),
    )
    placed.set(key, found)
    for (const figure of found) changed.add(figure)
    return found
  }

  return {
    started(begun: Begun): void {
      if (begun.mode !== 'live') return
      for (const figure of figuresOf(begun)) {
        figure.started++
        if (isPrompt(begun)) addHandOver(figure, begun)
        if (figure.recipients) addRecipient(figure, hash(figure.at / dayMs, begun.recipientKey))
      }
    },
    ended(begun: Begun, at: number): void {
      if (begun.mode !== 'live') return
      for (const figure of figuresOf(begun)) {
        if (!isPrompt(begun)) addHandOver(figure, begun)
        if (begun.status === 'approved') {
          figure.approved++
          addTime(figure.approvalTimes, at - begun.createdAt)
        } else if (isFailed(begun)) {
          figure.failed++
        }
      }
    },
    changed: () => [...changed],
  }
}

/** The slots that a verification counts in. */
export function slotsOf({ appId, createdAt }: Pick<Begun, 'appId' | 'createdAt'>): Slot[] {
  return [allApps, appId].flatMap((scope) =>
    spans.map(({ spanMs }) => ({ scope, spanMs, at: slotStart(createdAt, spanMs) })),
  )
}

export function slotStart(at: number, spanMs: number): number {
  return Math.floor(at / spanMs) * spanMs
}

export function slotKey({ scope, spanMs, at }: Slot): string {
  return `${scope} ${spanMs} ${at}`
}

function keyOf({ part, value, ...slot }: FigureKey): string {
  return `${slotKey(slot)} ${part} ${value}`
}

function countValue(values: Map<string, number>, { part, ...slot }: FigureKey): void {
  const key = `${slotKey(slot)} ${part}`
  values.set(key, (values.get(key) ?? 0) + 1)
}

/** Whether the day of this time is over, so that no domain gets a name on it any more. */
export function isOver(at: number, countedUntil: number): boolean {
  return at < slotStart(countedUntil - dayClosesMs, dayMs)
}

/** Days before this time are over. */
export function overBefore(countedUntil: number): number {
  return slotStart(countedUntil - dayClosesMs, dayMs)
}

function partsOf({ appId, channel, locale, to }: Begun, { scope }: Slot): [Part, string][] {
  const at = to.lastIndexOf('@')
  return [
    ['total', ''],
    ...(scope === allApps ? ([['app', appId]] as [Part, string][]) : []),
    ['channel', channel],
    ['locale', locale ?? ''],
    ...(at < 0 ? [] : ([['domain', to.slice(at + 1)]] as [Part, string][])),
  ]
}

export function newFigure(key: FigureKey): Figure {
  const namesRecipients = key.part === 'domain' && key.spanMs === dayMs && key.value !== otherValue
  return {
    ...key,
    ...{ started: 0, handedOver: 0, approved: 0, failed: 0 },
    ...{ handOverTimes: {}, approvalTimes: {} },
    recipients: namesRecipients ? [] : null,
  }
}

function isPrompt({ createdAt, handedOverAt }: Begun): boolean {
  return handedOverAt !== null && handedOverAt <= createdAt + promptMs
}

function addHandOver(figure: Figure, { createdAt, handedOverAt }: Begun): void {
  if (handedOverAt === null) return
  figure.handedOver++
  addTime(figure.handOverTimes, handedOverAt - createdAt)
}

/** Nothing of it was accepted, or what was accepted has not arrived. */
function isFailed({ status, handedOverAt, deliveryStatus }: Begun): boolean {
  if (status !== 'pending') return false
  return handedOverAt === null || deliveryStatus === 'bounced' || deliveryStatus === 'failed'
}

function addRecipient(figure: Figure, recipient: string): void {
  if (!figure.recipients || figure.recipients.includes(recipient)) return
  figure.recipients.push(recipient)
  if (figure.recipients.length >= recipientsMin) figure.recipients = null
}

/**
 * The figures of a scope's domains on a day that is over, where domains of few recipients count as
 * `other`. `figures` are those of the day and of its shorter slots that are kept for long.
 */
export function closeDay(figures: Figure[]): { figures: Figure[]; removed: FigureKey[] } {
  const named = namedDomains(figures)
  const known = new Map(figures.map((figure) => [keyOf(figure), figure]))
  const others = new Map<string, Figure>()
  const removed: FigureKey[] = []
  for (const figure of figures) {
    const { scope, spanMs, at, part, value } = figure
    if (value === otherValue || named.has(value)) continue
    removed.push({ scope, spanMs, at, part, value })
    const place = { scope, spanMs, at, part, value: otherValue }
    const key = keyOf(place)
    const other = others.get(key) ?? structuredClone(known.get(key) ?? newFigure(place))
    addFigure(other, figure)
    others.set(key, other)
  }
  return { figures: [...others.values()], removed }
}

/** The domains that had enough recipients on one of these days. */
export function namedDomains(figures: Figure[]): Set<string> {
  const ofDays = figures.filter(({ part, spanMs }) => part === 'domain' && spanMs === dayMs)
  return new Set(ofDays.flatMap(({ value, recipients }) => (recipients ? [] : [value])))
}

/** Adds the counts and times of another figure. */
export function addFigure(figure: Sum, other: Sum): void {
  figure.started += other.started
  figure.handedOver += other.handedOver
  figure.approved += other.approved
  figure.failed += other.failed
  addTimes(figure.handOverTimes, other.handOverTimes)
  addTimes(figure.approvalTimes, other.approvalTimes)
}
