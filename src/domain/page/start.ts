import { effectivePolicy } from '../app/policy.ts'
import type { Ports } from '../ports.ts'
import { Problem } from '../problem.ts'
import { readRoute } from '../verification/route.ts'
import { type Started, type StartRequest, startVerification } from '../verification/start.ts'
import { linkSecret, pageKeptMs } from './page.ts'
import { addressMacs } from './proof.ts'
import { readReturnUrl } from './return-url.ts'

type PagePorts = Parameters<typeof startVerification>[0] & Pick<Ports, 'pages'>

export type PageRequest = {
  returnUrl: string
  /** The address of this server for browsers; null where there is none to name in a link. */
  base: string | null
}

/**
 * Starts a verification with a hosted page. A repeat under the same Idempotency-Key stores the page
 * if a crash came between, and answers the same URL. Throws `page_unavailable`, `invalid_request` for a
 * URL that the app does not list, and as `startVerification` does.
 */
export async function startWithPage(
  ports: PagePorts,
  request: StartRequest,
  { returnUrl, base }: PageRequest,
): Promise<Started & { pageUrl: string }> {
  readReturnUrl(request.app.policy.returnUrls, returnUrl)
  if (base === null) throw new Problem('page_unavailable', { detail: noAddress })
  const started = await startVerification(ports, request)
  const { id, appId, mode, expiresAt } = started.verification
  const keptUntil = expiresAt + pageKeptMs
  const macs = macsOf(ports, request)
  await ports.pages.add({ id, appId, mode, returnUrl, addressMacs: macs, keptUntil })
  const secret = linkSecret(ports.keyring, 'page', { appId, mode, id })
  return { ...started, pageUrl: `${base}/verify/${id}/${secret}` }
}

const noAddress =
  'Set OTPMINT_PUBLIC_URL to the https address under which browsers reach this server'

/** Of the addresses that the start has read, which are sealed from then on. */
function macsOf(ports: PagePorts, { app, mode, to, channel, toField = 'to' }: StartRequest) {
  if (app.policy.proofVersion === undefined) return null
  const rules = effectivePolicy(app.policy, ports.settings)
  const read = readRoute(ports, { app, mode, to, channel: channel ?? null, toField, rules })
  return addressMacs(ports.keyring, app, read.recipients)
}
