import type { Status } from '../domain/verification/verification.ts'
import { timestamp } from '../present.ts'

export const inboxStates = ['live', 'used', 'expired'] as const

/** A message of a test key; it never left the machine, so its code is shown. */
export type Shown = {
  deliveryId: string
  appId: string
  appName: string | null
  verificationId: string
  to: string
  language: string
  subject: string
  text: string
  html: string
  code: string
  reference: string
  at: number
  expiresAt: number
  status: Status
}

export function presentInboxItem(message: Shown, now: number) {
  return {
    id: message.deliveryId,
    app: message.appId,
    app_name: message.appName,
    verification: message.verificationId,
    to: message.to,
    code: message.code,
    reference: message.reference,
    language: message.language,
    subject: message.subject,
    state: stateOf(message, now),
    sent_at: timestamp(message.at),
    expires_at: timestamp(message.expiresAt),
  }
}

/** `source`: the mail as RFC 5322; null for what is no mail. */
export function presentInboxMessage(message: Shown, source: string | null, now: number) {
  const { text, html } = message
  return { ...presentInboxItem(message, now), text, html, source, headers: headersOf(source) }
}

export function stateOf(
  { status, expiresAt }: Pick<Shown, 'status' | 'expiresAt'>,
  now: number,
): (typeof inboxStates)[number] {
  if (status === 'pending' && expiresAt > now) return 'live'
  return status === 'approved' ? 'used' : 'expired'
}

/** The fields of the header, each in one line. */
function headersOf(source: string | null): { name: string; value: string }[] {
  const [head = ''] = (source ?? '').split('\r\n\r\n', 1)
  return head
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .filter((line) => line.includes(':'))
    .map((line) => {
      const at = line.indexOf(':')
      return { name: line.slice(0, at), value: line.slice(at + 1).trim() }
    })
}
