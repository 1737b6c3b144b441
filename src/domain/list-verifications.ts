import type { Ports } from './ports.ts'
import { foldRecipient, readRecipient } from './recipient.ts'
import { budgetKey } from './start-verification.ts'
import type { Page } from './stores.ts'
import type { Status, Verification } from './verification.ts'

export type ListRequest = {
  appId: string
  to?: string | undefined
  status?: Status | undefined
  /** 1 to 100. */
  limit: number
  cursor: string | null
}

/** An app's verifications, the newest first; those of one recipient by exact address only. */
export async function listVerifications(
  { verifications, keyring, clock }: Pick<Ports, 'verifications' | 'keyring' | 'clock'>,
  { appId, to, status, limit, cursor }: ListRequest,
): Promise<Page<Verification>> {
  const query = { appId, now: clock.now(), limit, cursor, ...(status && { status }) }
  if (to === undefined) return verifications.list(query)

  const recipient = readRecipient(to)
  return verifications.list({
    ...query,
    recipient: {
      index: keyring.recipientIndex(appId, recipient),
      budgetKey: budgetKey({ keyring }, appId, foldRecipient(recipient)),
    },
  })
}
