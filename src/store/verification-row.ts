import type { Event, EventType } from '../domain/event.ts'
import type { Stop, Verification } from '../domain/verification/verification.ts'

export type VerificationRow = {
  id: string
  appId: string
  mode: Verification['mode']
  startedBy: Verification['startedBy']
  recipientMasked: string
  channel: Verification['channel']
  purpose: string
  locale: string | null
  metadata: string | null
  status: Verification['status']
  codeKeyId: string
  codeFormat: Verification['codeFormat']
  codeLength: number
  codeGeneration: number
  /** SQLite has numbers. */
  forgotten: boolean | 0 | 1
  reference: string
  attemptsSpent: number
  attemptsMax: number
  resendsSpent: number
  resendsMax: number
  createdAt: number
  expiresAt: number
  resendAt: number
  /** JSON. */
  route: string | null
  fallBackAt: number | null
  checkAt: number | null
  checkedAt: string | null
  deliveryStatus: Verification['delivery']['status']
  deliveryDetail: string | null
}

/** The columns of a verification as it is returned: without digest and sealed address. */
export const verificationColumns = `
  id, app_id as "appId", mode, started_by as "startedBy", recipient_masked as "recipientMasked",
  channel, purpose, locale, metadata, status, code_key_id as "codeKeyId",
  code_format as "codeFormat", code_length as "codeLength", code_generation as "codeGeneration",
  code_digest is null as forgotten, reference, attempts_spent as "attemptsSpent",
  attempts_max as "attemptsMax", resends_spent as "resendsSpent", resends_max as "resendsMax",
  created_at as "createdAt", expires_at as "expiresAt", resend_at as "resendAt", route,
  fall_back_at as "fallBackAt", check_at as "checkAt",
  checked_at as "checkedAt", delivery_status as "deliveryStatus",
  delivery_detail as "deliveryDetail"`

export function toVerification(row: VerificationRow): Verification {
  const route: Stop[] =
    row.route === null
      ? [{ channel: row.channel, to: row.recipientMasked, recipient: 0 }]
      : JSON.parse(row.route)
  return {
    id: row.id,
    appId: row.appId,
    mode: row.mode,
    startedBy: row.startedBy,
    channel: row.channel,
    to: route.find(({ channel }) => channel === row.channel)?.to ?? row.recipientMasked,
    route,
    purpose: row.purpose,
    locale: row.locale,
    metadata: row.metadata === null ? null : JSON.parse(row.metadata),
    status: row.status,
    forgotten: Boolean(row.forgotten),
    codeKeyId: row.codeKeyId,
    codeFormat: row.codeFormat,
    codeLength: row.codeLength,
    generation: row.codeGeneration,
    reference: row.reference,
    attemptsSpent: row.attemptsSpent,
    attemptsMax: row.attemptsMax,
    resendsSpent: row.resendsSpent,
    resendsMax: row.resendsMax,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    resendAt: row.resendAt,
    fallBackAt: row.fallBackAt,
    checkAt: row.checkAt,
    checkedAt: row.checkedAt === null ? [] : row.checkedAt.split(',').map(Number),
    delivery: { status: row.deliveryStatus, detail: row.deliveryDetail },
  }
}

/** Clears what is not needed any more once a verification has ended. */
export const forgotten = `code_digest = null, recipient_sealed = null, variables_sealed = null,
  fall_back_at = null`

/** The status of a delivery that ends together with its verification or code. */
export const endedStatus = `case when delivery_status in ('queued', 'deferred') then 'undeliverable'
  else delivery_status end`

export const isThis = 'where id = $id and app_id = $appId and mode = $mode'

/** Pending, as `statusOf` of the domain defines it, as of `$now`. */
export const isPending = `status = 'pending' and attempts_spent < attempts_max
  and code_digest is not null and expires_at > $now`

/**
 * The columns of the verifications of the recipient with `$key`, from this id back. In each of them
 * it is the first recipient or a further one.
 */
export function chainFrom(id: string, columns: string[]): string {
  const select = (from: string) => `
    select case when ${from}.recipient_key = $key then ${from}.earlier_id else (
        select further.earlier_id from verification_recipients as further
        where further.verification_id = ${from}.id and further.recipient_key = $key
      ) end as earlier_id, ${columns.map((column) => `${from}.${column}`).join(', ')}`
  return `
    ${select('verifications')} from verifications where id = ${id}
    union all
    ${select('earlier')}
    from chain join verifications as earlier on earlier.id = chain.earlier_id`
}

/** What the event of an expiry tells. */
export const expiredColumns = 'id, app_id as "appId", attempts_spent as "attemptsSpent"'
export type ExpiredRow = Pick<VerificationRow, 'id' | 'appId' | 'attemptsSpent'>

export function expiredEvent(
  { id: verificationId, appId, attemptsSpent }: ExpiredRow,
  type: EventType,
  at: number,
): Omit<Event, 'id'> {
  return { at, appId, type, verificationId, data: { attempts_spent: attemptsSpent } }
}
