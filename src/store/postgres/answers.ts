import type { KeptRequest } from '../../domain/verification/stores.ts'
import type { Verification } from '../../domain/verification/verification.ts'
import type { Session } from './lanes.ts'

/** A stored answer to an Idempotency-Key; null for a key that is new or past its time. */
export type KeptAnswer =
  | { outcome: 'replayed'; verification: Verification; at: number }
  | { outcome: 'key_reused' }
  | null

/**
 * Reads the answer to an Idempotency-Key, and holds the key until the transaction is over: a row without
 * an answer is its lock. Who gets null then has to `keep` an answer or to `giveUp` the key.
 */
export async function hold(
  session: Session,
  { key, fingerprint, since }: KeptRequest,
  appId: string,
): Promise<KeptAnswer> {
  await session.run(
    `insert into answers (key, app_id, fingerprint, answer, kept_at)
    values ($key, $appId, $fingerprint, '', 0)
    on conflict (key) do update set kept_at = 0 where false`,
    { key, appId, fingerprint },
  )
  // A statement of its own: what the one above has waited for is seen by the next one only.
  const [kept] = await session.query<Row>(
    `select fingerprint = $fingerprint as is_same, answer, kept_at from answers
    where key = $key and kept_at > $since and answer <> ''`,
    { key, fingerprint, since },
  )
  if (!kept) return null
  if (!kept.isSame) return { outcome: 'key_reused' }
  return { outcome: 'replayed', verification: JSON.parse(kept.answer), at: kept.keptAt }
}

export async function keep(
  session: Session,
  { key, fingerprint }: KeptRequest,
  verification: Verification,
  now: number,
): Promise<void> {
  await session.run(
    `update answers set app_id = $appId, fingerprint = $fingerprint, answer = $answer,
      kept_at = $now
    where key = $key`,
    { key, fingerprint, appId: verification.appId, answer: JSON.stringify(verification), now },
  )
}

export async function giveUp(session: Session, { key }: KeptRequest): Promise<void> {
  await session.run("delete from answers where key = $key and answer = ''", { key })
}

type Row = { isSame: boolean; answer: string; keptAt: number }
