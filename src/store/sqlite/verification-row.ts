import type { Stop, Verification } from '../../domain/verification/verification.ts'

export type VerificationRow = {
  id: string
  app_id: string
  mode: Verification['mode']
  started_by: Verification['startedBy']
  recipient_masked: string
  channel: Verification['channel']
  purpose: string
  locale: string | null
  metadata: string | null
  status: Verification['status']
  code_key_id: string
  code_format: Verification['codeFormat']
  code_length: number
  code_generation: number
  forgotten: 0 | 1
  reference: string
  attempts_spent: number
  attempts_max: number
  resends_spent: number
  resends_max: number
  created_at: number
  expires_at: number
  resend_at: number
  /** JSON. */
  route: string | null
  fall_back_at: number | null
  check_at: number | null
  delivery_status: Verification['delivery']['status']
  delivery_detail: string | null
}

/** The columns of a verification as it is returned: without digest and sealed address. */
export const verificationColumns = `
  id, app_id, mode, started_by, recipient_masked, channel, purpose, locale, metadata, status,
  code_key_id, code_format, code_length, code_generation, code_digest is null as forgotten,
  reference, attempts_spent, attempts_max, resends_spent, resends_max,
  created_at, expires_at, resend_at, route, fall_back_at, check_at, delivery_status, delivery_detail`

export function toVerification(row: VerificationRow): Verification {
  const route: Stop[] =
    row.route === null
      ? [{ channel: row.channel, to: row.recipient_masked, recipient: 0 }]
      : JSON.parse(row.route)
  return {
    id: row.id,
    appId: row.app_id,
    mode: row.mode,
    startedBy: row.started_by,
    channel: row.channel,
    to: route.find(({ channel }) => channel === row.channel)?.to ?? row.recipient_masked,
    route,
    purpose: row.purpose,
    locale: row.locale,
    metadata: row.metadata === null ? null : JSON.parse(row.metadata),
    status: row.status,
    forgotten: row.forgotten === 1,
    codeKeyId: row.code_key_id,
    codeFormat: row.code_format,
    codeLength: row.code_length,
    generation: row.code_generation,
    reference: row.reference,
    attemptsSpent: row.attempts_spent,
    attemptsMax: row.attempts_max,
    resendsSpent: row.resends_spent,
    resendsMax: row.resends_max,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    resendAt: row.resend_at,
    fallBackAt: row.fall_back_at,
    checkAt: row.check_at,
    delivery: { status: row.delivery_status, detail: row.delivery_detail },
  }
}

/** Clears what is not needed any more once a verification has ended. */
export const forgotten = `code_digest = null, recipient_sealed = null, variables_sealed = null,
  fall_back_at = null`

/** The number of the recipient in a verification's own row. */
export const firstNumber = "coalesce(route ->> '$[0].recipient', 0)"

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
