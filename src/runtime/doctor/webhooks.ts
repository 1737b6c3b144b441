import type { App } from '../../domain/app/app.ts'
import type { Finding } from '../../domain/server.ts'
import { isSuccess } from '../../domain/webhook/schedule.ts'
import type { OpenPorts } from '../open.ts'
import { testWebhook } from '../test-webhook.ts'
import { failed, ok, warning } from './finding.ts'

/** Posts a test message to each webhook, also to those that are off. */
export async function checkWebhooks(ports: OpenPorts, apps: App[]): Promise<Finding[]> {
  const places = apps.flatMap((app) => app.webhooks.map((webhook) => ({ app, webhook })))
  return Promise.all(
    places.map(async ({ app, webhook }) => {
      const check = `webhook of ${app.name ?? `app ${app.id}`}`
      const { code, detail } = await testWebhook(ports, app, webhook)
      const said = `${webhook.url}: ${detail ?? `the receiver answered ${code}`}`
      if (!isSuccess(code)) return failed(check, said, 'it must answer with 2xx within 10 s')
      const next = `otpmint webhook update ${app.id} ${webhook.id} --enabled yes`
      return webhook.offSince === null
        ? ok(check, said)
        : warning(check, `${said}; it is off`, next)
    }),
  )
}
