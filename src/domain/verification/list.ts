import type { Ports } from '../ports.ts'
import type { Page } from '../stores.ts'
import { recipientKey } from './limits.ts'
import { foldRecipient, readRecipient, recipientKinds } from './recipient.ts'
import type { Mode, Status, Verification } from './verification.ts'

export type ListRequest = {
  appId: string
  mode: Mode
  /** Only those of exactly this address. */
  to?: unknown
  status?: Status | undefined
  /** 1 to 100. */
  limit: number
  cursor: string | null
}

/** An app's verifications of one mode, the newest first. Throws `invalid_request` for `to`. */
export async function listVerifications(
  { verifications, keyring, clock }: Pick<Ports, 'verifications' | 'keyring' | 'clock'>,
  { appId, mode, to, status, limit, cursor }: ListRequest,
): Promise<Page<Verification>> {
  const now = clock.now()
  const query = { appId, mode, now, limit, cursor, ...(status && { status }) }
  if (to === undefined) return verifications.list(query)

  const recipient = readRecipient(recipientKinds, to)
  return verifications.list({
    ...query,
    recipient: {
      index: keyring.recipientIndex(appId, recipient.address),
      key: recipientKey(keyring, appId, mode, foldRecipient(recipient)),
    },
  })
}
