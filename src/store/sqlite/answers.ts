import type { Database } from 'bun:sqlite'
import type { KeptRequest } from '../../domain/verification/stores.ts'
import type { Verification } from '../../domain/verification/verification.ts'

export type Answers = ReturnType<typeof createAnswers>

/** The stored answers to Idempotency-Keys, independent of later changes of the verification. */
export function createAnswers(database: Database) {
  const find = database.prepare<
    { fingerprint: Uint8Array; answer: string; kept_at: number },
    { key: Uint8Array; since: number }
  >('select fingerprint, answer, kept_at from answers where key = $key and kept_at > $since')
  const keep = database.prepare<null, KeptAnswer>(`
    insert or replace into answers (key, app_id, fingerprint, answer, kept_at)
    values ($key, $appId, $fingerprint, $answer, $now)`)

  return {
    /** Null for a key that is new or past its time. */
    find(
      request: KeptRequest,
    ):
      | { outcome: 'replayed'; verification: Verification; at: number }
      | { outcome: 'key_reused' }
      | null {
      const kept = find.get(request)
      if (!kept) return null
      if (Buffer.compare(kept.fingerprint, request.fingerprint) !== 0) {
        return { outcome: 'key_reused' }
      }
      return { outcome: 'replayed', verification: JSON.parse(kept.answer), at: kept.kept_at }
    },
    keep(request: KeptRequest, verification: Verification, now: number): void {
      const { key, fingerprint } = request
      const answer = JSON.stringify(verification)
      keep.run({ key, fingerprint, appId: verification.appId, answer, now })
    },
  }
}

type KeptAnswer = {
  key: Uint8Array
  appId: string
  fingerprint: Uint8Array
  answer: string
  now: number
}
