import { type App, mailServersOf } from '../../domain/app/app.ts'
import type { Finding } from '../../domain/server.ts'
import type { Recipient } from '../../domain/verification/recipient.ts'
import type { OpenPorts } from '../open.ts'
import { probeEndpoint, type TestStep, testDns, testEndpoint } from '../test-delivery.ts'
import { mapAtOnce, triedAtOnce } from './at-once.ts'
import { failed, ok } from './finding.ts'

/** Tests each mail server, with a recipient by a real mail. */
export async function checkMailServers(
  ports: OpenPorts,
  apps: App[],
  recipient: Recipient | null,
): Promise<Finding[]> {
  const routes = apps.flatMap((app) =>
    mailServersOf(app)
      .filter(({ off }) => off === null)
      .map((server) => ({ app, server })),
  )
  if (routes.length === 0) {
    const detail = 'no app has a mail server, so there is none to test'
    const next = 'name one: "otpmint help app update" has the --smtp flags'
    return [recipient ? failed('mail', `${detail} and nothing was sent`, next) : ok('mail', detail)]
  }
  const findings = await mapAtOnce(routes, triedAtOnce, async ({ app, server }) => {
    const { host, port } = server.settings
    const check = `mail of ${app.name ?? `app ${app.id}`}`
    const place = (step: TestStep) => fromStep(check, `${host}:${port}`, step)
    if (!recipient) return (await probeEndpoint(ports, app, server)).map(place)
    const { status, detail, steps } = await testEndpoint(
      ports,
      app,
      server,
      recipient && { recipient },
    )
    if (steps.some((step) => !step.ok)) return steps.map(place)
    const sent = `the test mail was ${status}${detail ? `: ${detail}` : ''}`
    const next = 'read what the mail server said; its log has more'
    const end = status === 'sent' ? ok(check, sent) : failed(check, sent, next)
    return [...steps.map(place), end]
  })
  return findings.flat()
}

/** Splits the sentence of a failure: the result and, after the semicolon, what to do. */
function fromStep(check: string, server: string, { name, ok: isOk, detail }: TestStep): Finding {
  if (isOk) return ok(check, `${server} ${name}: ${detail}`)
  const [found = '', ...next] = (detail ?? '').split('; ')
  return failed(check, `${server} ${name}: ${found}`, next.join('; ') || 'try again')
}

/** What the DNS says about the From domains, with the records to copy. */
export async function checkDns(ports: OpenPorts, apps: App[]): Promise<Finding[]> {
  const findings = await Promise.all(apps.map((app) => testDns(ports, app)))
  return findings.flat().map(({ domain, check, record, ...finding }) => ({
    check: `${check} of ${domain}`,
    ...finding,
    ...(record && { record }),
  }))
}
