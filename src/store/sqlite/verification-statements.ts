import type { Database } from 'bun:sqlite'
import type { StartCommand } from '../../domain/stores.ts'
import { type VerificationRow, verificationColumns } from './rows.ts'

type Key = { appId: string; id: string }
type Blob = Uint8Array

type Insert = Omit<StartCommand['verification'], 'metadata'> & {
  metadata: string | null
  recipientIndex: Blob
  recipientSealed: Blob
  budgetKey: Blob
  earlierSeq: number | null
  codeFormat: string
  codeLength: number
  codeGeneration: number
  codeDigest: Blob
  deliveryId: string
}

type Charge = Key & {
  format: string
  length: number
  digest: Blob | null
  older: Blob | null
  now: number
}

type NewDeliveryRow = {
  deliveryId: string
  appId: string
  verificationId: string
  channel: string
  dueAt: number
  now: number
  expiresAt: number
}

export type VerificationStatements = ReturnType<typeof prepareVerifications>

/** Every promise is one statement; the condition in its `where` is the promise. */
export function prepareVerifications(database: Database) {
  return {
    insert: database.prepare<null, Insert>(`
      insert into verifications (
        id, app_id, mode, recipient_index, recipient_masked, recipient_sealed, budget_key,
        earlier_seq, channel, purpose, locale, metadata, status, code_key_id, code_format,
        code_length, code_generation, code_digest, reference, attempts_max, resends_max,
        created_at, expires_at, resend_at, delivery_id, delivery_status)
      values (
        $id, $appId, $mode, $recipientIndex, $to, $recipientSealed, $budgetKey,
        $earlierSeq, $channel, $purpose, $locale, $metadata, 'pending', $codeKeyId, $codeFormat,
        $codeLength, $codeGeneration, $codeDigest, $reference, $attemptsMax, $resendsMax,
        $createdAt, $expiresAt, $resendAt, $deliveryId, 'queued')`),

    insertDelivery: database.prepare<null, NewDeliveryRow>(`
      insert into deliveries (
        id, app_id, verification_id, channel, status, due_at, leased, created_at, expires_at)
      values ($deliveryId, $appId, $verificationId, $channel, 'queued', $dueAt, 1, $now,
        $expiresAt)`),

    // Spends and judges at once, and is the count of failures that the recipient's budget adds up.
    // What an approval no longer needs goes in the same breath.
    charge: database.prepare<VerificationRow, Charge>(`
      update verifications
      set attempts_spent = attempts_spent + 1,
        status = case when code_digest in ($digest, $older) then 'approved' else status end,
        recipient_sealed =
          case when code_digest in ($digest, $older) then null else recipient_sealed end,
        code_digest = case when code_digest in ($digest, $older) then null else code_digest end
      where id = $id and app_id = $appId
        and status = 'pending' and attempts_spent < attempts_max and expires_at > $now
        and code_length = $length and code_format = $format
      returning ${verificationColumns}`),

    resend: database.prepare<
      VerificationRow,
      Key & { now: number; nextResendAt: number; deliveryId: string }
    >(`
      update verifications
      set resends_spent = resends_spent + 1, resend_at = $nextResendAt,
        delivery_id = $deliveryId, delivery_status = 'queued', delivery_detail = null
      where id = $id and app_id = $appId
        and status = 'pending' and attempts_spent < attempts_max and expires_at > $now
        and resends_spent < resends_max and resend_at <= $now
      returning ${verificationColumns}`),

    cancel: database.prepare<VerificationRow, Key & { now: number }>(`
      update verifications
      set status = 'canceled', code_digest = null, recipient_sealed = null
      where id = $id and app_id = $appId
        and status = 'pending' and attempts_spent < attempts_max and expires_at > $now
      returning ${verificationColumns}`),

    get: database.prepare<VerificationRow, Key>(
      `select ${verificationColumns} from verifications where id = $id and app_id = $appId`,
    ),
    appOf: database.prepare<{ app_id: string }, { id: string }>(
      'select app_id from verifications where id = $id',
    ),
    sealed: database.prepare<{ recipient_sealed: Blob | null }, Key>(
      'select recipient_sealed from verifications where id = $id and app_id = $appId',
    ),

    kept: database.prepare<
      { fingerprint: Blob; verification_id: string; answer: string | null; kept_at: number },
      { key: Blob; since: number }
    >(`
      select fingerprint, verification_id, answer, kept_at from idempotency
      where key = $key and kept_at > $since`),
    keep: database.prepare<
      null,
      { key: Blob; fingerprint: Blob; appId: string; verificationId: string; now: number }
    >(`
      insert or replace into idempotency (key, app_id, fingerprint, verification_id, kept_at)
      values ($key, $appId, $fingerprint, $verificationId, $now)`),
    keepAnswer: database.prepare<null, { key: Blob; answer: string }>(
      'update idempotency set answer = $answer where key = $key',
    ),
  }
}
