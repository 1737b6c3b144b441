import type { App } from '../domain/app/app.ts'
import { endpointKinds, isEmail } from '../domain/app/endpoint.ts'
import type { OpenPorts } from '../runtime/open.ts'
import { probeEndpoint } from '../runtime/test-delivery.ts'
import { type Finding, failed, ok, warning } from './finding.ts'
import { endpointText } from './output.ts'

/** Tries each endpoint that is no mail server; sends no message. */
export async function checkEndpoints(ports: OpenPorts, apps: App[]): Promise<Finding[]> {
  const routes = apps.flatMap((app) => app.endpoints.map((endpoint) => ({ app, endpoint })))
  const findings = await Promise.all(
    routes.map(async ({ app, endpoint }): Promise<Finding[]> => {
      const { id, settings, off } = endpoint
      const check = `${endpointKinds[settings.kind].noun} of ${app.name ?? `app ${app.id}`}`
      const place = endpointText(endpoint)
      if (off !== null) return [warning(check, `${place} is off (${off})`, switchOn(app.id, id))]
      if (isEmail(endpoint)) return []
      const steps = await probeEndpoint(ports, app, endpoint)
      return steps.map(({ name, ok: isOk, detail }) => {
        if (isOk) return ok(check, `${place} ${name}: ${detail}`)
        const [found = '', ...next] = (detail ?? '').split('; ')
        return failed(check, `${place} ${name}: ${found}`, next.join('; ') || 'try again')
      })
    }),
  )
  return findings.flat()
}

function switchOn(appId: string, id: string): string {
  return `once it is right: otpmint endpoint update ${appId} ${id} --enabled yes`
}
