import type { App } from '../../domain/app/app.ts'
import type { CallbackResult } from '../../domain/delivery/callback.ts'
import { applyReport } from '../../domain/delivery/follow.ts'
import type { Report } from '../../domain/delivery/report.ts'
import type { CallbackPorts, TakeCallback } from '../callbacks.ts'
import { openGateway } from './phone.ts'

/** The longest wait for the outcome of a try that is being written, of one request, and its steps. */
const earlyMaxMs = 2_000
const earlyStepMs = 100

const unsigned: CallbackResult = { outcome: 'unsigned' }

/**
 * Takes what a gateway reports of messages, signed in its way. Without a public URL nothing can be
 * verified that signs it, and no gateway was told where to report.
 */
export const takeReports: TakeCallback = async (ports, { app, endpoint, url, headers, body }) => {
  const opened = openGateway(ports, app, endpoint)
  const { pathname, search } = new URL(url)
  const { publicUrl } = ports
  if (!opened?.gateway.callbacks || publicUrl === null) return unsigned
  const { gateway, settings, secrets } = opened
  const posted = {
    url: publicUrl + pathname + search,
    headers,
    body: Buffer.from(body).toString(),
    now: ports.clock.now(),
  }
  if (!gateway.callbacks?.isGenuine(posted, settings, secrets)) return unsigned
  let patienceMs = earlyMaxMs
  for (const report of gateway.callbacks.read(posted, settings)) {
    patienceMs = await apply(ports, { app, endpointId: endpoint.id, report, patienceMs })
  }
  return { outcome: 'taken' }
}

type Applying = { app: App; endpointId: string; report: Report; patienceMs: number }

/**
 * Applies one report; returns the patience that is left. A gateway may report before the outcome of
 * the hand-over is on disk: then it is applied a little later.
 */
async function apply(
  ports: CallbackPorts,
  { app, endpointId, report, patienceMs }: Applying,
): Promise<number> {
  let leftMs = patienceMs
  while ((await applyReport(ports, { app, endpointId, report })) === 'early' && leftMs > 0) {
    await ports.timers.sleep(earlyStepMs)
    leftMs -= earlyStepMs
  }
  return leftMs
}
