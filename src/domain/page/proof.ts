import type { App } from '../app/app.ts'
import { entry, findApp } from '../app/manage.ts'
import { type Actor, audited } from '../audit.ts'
import type { Keyring } from '../keyring.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import type { Recipient } from '../verification/recipient.ts'
import type { Verification } from '../verification/verification.ts'
import type { Page } from './page.ts'

/** How long a proof is good. */
export const proofSeconds = 300

/** The secret under which an app's proofs hash addresses; null for an app without proofs. */
export function proofSecret(
  keyring: Pick<Keyring, 'fingerprint'>,
  { id, policy }: Pick<App, 'id' | 'policy'>,
): string | null {
  if (policy.proofVersion === undefined) return null
  const mac = keyring.fingerprint(id, `proof\0${policy.proofVersion}`)
  return `otpm_proof_${Buffer.from(mac).toString('base64url')}`
}

/** HMAC-SHA-256 of each recipient's address, in base64url; null for an app without proofs. */
export function addressMacs(
  keyring: Pick<Keyring, 'fingerprint'>,
  app: App,
  recipients: Recipient[],
): string[] | null {
  const secret = proofSecret(keyring, app)
  if (secret === null) return null
  return recipients.map(({ address }) =>
    Buffer.from(new Bun.CryptoHasher('sha256', secret).update(address).digest()).toString(
      'base64url',
    ),
  )
}

/**
 * What a proof says, for a page whose verification was approved: which app may believe it (`aud`), the
 * hash of the address that the code went to, and what it was for. Null where there is nothing to prove.
 */
export function proofClaims(
  { issuer, now }: { issuer: string; now: number },
  { addressMacs }: Pick<Page, 'addressMacs'>,
  verification: Verification,
): Record<string, string | number> | null {
  const { id, appId, mode, status, channel, purpose, route } = verification
  const number = route.find((stop) => stop.channel === channel)?.recipient ?? 0
  const mac = addressMacs?.[number]
  if (status !== 'approved' || mac === undefined) return null
  const seconds = Math.floor(now / 1000)
  return {
    ...{ iss: issuer, aud: appId, sub: mac, jti: id },
    ...{ iat: seconds, exp: seconds + proofSeconds },
    ...{ mode, purpose, channel },
  }
}

/** Shows the secret to the admin. Throws `app_not_found`, `invalid_request` without proofs. */
export async function readProofSecret(
  ports: Pick<Ports, 'apps' | 'audit' | 'keyring' | 'clock'>,
  actor: Actor,
  appId: string,
): Promise<string> {
  const app = await findApp(ports, appId)
  const secret = proofSecret(ports.keyring, app)
  if (secret === null) throw new Problem('proof_off')
  const record = entry(ports, actor, 'proof.secret', appId, `version ${app.policy.proofVersion}`)
  await audited(ports, record, (append) => ports.audit.append(append))
  return secret
}
