import type { App } from '../../domain/app/app.ts'
import { endpointKinds, isEmail } from '../../domain/app/endpoint.ts'
import { effectivePolicy } from '../../domain/app/policy.ts'
import { channels } from '../../domain/delivery/channel.ts'
import type { Finding } from '../../domain/server.ts'
import type { DomainSettings } from '../../domain/settings.ts'
import { endpointText } from '../../present/endpoint-text.ts'
import type { OpenPorts } from '../open.ts'
import { probeEndpoint } from '../test-delivery.ts'
import { mapAtOnce, triedAtOnce } from './at-once.ts'
import { failed, ok, warning } from './finding.ts'

/** Tries each endpoint that is no mail server; sends no message. */
export async function checkEndpoints(ports: OpenPorts, apps: App[]): Promise<Finding[]> {
  const routes = apps.flatMap((app) => app.endpoints.map((endpoint) => ({ app, endpoint })))
  const findings = await mapAtOnce(
    routes,
    triedAtOnce,
    async ({ app, endpoint }): Promise<Finding[]> => {
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
    },
  )
  return findings.flat()
}

function switchOn(appId: string, id: string): string {
  return `once it is right: otpmint endpoint update ${appId} ${id} --enabled yes`
}

/** Without countries no telephone number gets anything. */
export function checkPhoneRules(settings: DomainSettings, apps: App[]): Finding[] {
  return apps.flatMap(({ id, name, policy, endpoints }) => {
    const isForPhones = endpoints.some(({ channel }) => channels[channel].takes[0] === 'phone')
    if (!isForPhones || effectivePolicy(policy, settings).phoneCountries.length > 0) return []
    const next = `otpmint app update ${id} --phone-countries DE,AT`
    const detail = 'its policy names no countries, so every telephone number is refused'
    return [warning(`telephone numbers of ${name ?? `app ${id}`}`, detail, next)]
  })
}
