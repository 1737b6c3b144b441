import type { Ports } from '../ports.ts'
import { newToken } from './session.ts'

/**
 * A link that lets one person in, once, within 15 minutes: to make an account, to take up an
 * invitation, or to choose a new password where the old one or the second step is lost.
 */
export type Link = {
  tokenHash: Uint8Array
  /** Null for one that makes an account, whose name its user chooses. */
  accountId: string | null
  createdAt: number
  expiresAt: number
}

export const linkLifeMs = 15 * 60_000

/** `text` is shown once. */
export type NewLink = { link: Link; text: string }

export function makeLink(
  ports: Pick<Ports, 'random' | 'keyring'>,
  { accountId, now }: { accountId: string | null; now: number },
): NewLink {
  const text = newToken(ports)
  const tokenHash = ports.keyring.tokenHash('link', text)
  return { text, link: { tokenHash, accountId, createdAt: now, expiresAt: now + linkLifeMs } }
}

/** The address of the page that takes a link. The token is in the fragment, so that no log has it. */
export function linkUrl(dashboardUrl: string, token: string): string {
  return `${dashboardUrl}/#/link/${token}`
}
