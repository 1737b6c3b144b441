import type { App } from '../domain/app.ts'
import { dayMs, guessBoundPerYear } from '../domain/limit.ts'
import type { DomainSettings } from '../domain/ports.ts'
import type { OpenPorts } from '../runtime/open.ts'
import { probeApp, sendTestMailOnce, withEgress } from '../runtime/test-delivery.ts'
import { type Finding, failed, ok, warning } from './findings.ts'

/** ASVS 6.5.5 and NIST SP 800-63B-4 3.1.3.2: a short code lives ten minutes at most. */
const lifeMaxSeconds = 600

export function checkPolicies(settings: DomainSettings, apps: App[]): Finding[] {
  const lives: [string, number][] = [
    ['the server', settings.ttlSeconds],
    ...apps.map(({ id, policy }): [string, number] => [`app ${id}`, policy.ttlSeconds ?? 0]),
  ]
  const long = lives
    .filter(([, seconds]) => seconds > lifeMaxSeconds)
    .map(([whose, seconds]) =>
      warning('code life', `${whose}: ${seconds} s`, `${lifeMaxSeconds} s or less is advised`),
    )
  return long.length > 0 ? long : [ok('code life', `${settings.ttlSeconds} s`)]
}

/** What blind guessing achieves in a year, for the default length and every other in use. */
export function checkGuessBound(settings: DomainSettings, apps: App[]): Finding[] {
  const { guessBudgetPerDay, guessBudgetPerMonth, codeLength } = settings
  const windows = [
    { max: guessBudgetPerDay, windowMs: dayMs },
    { max: guessBudgetPerMonth, windowMs: 30 * dayMs },
  ]
  const lengths = new Set([
    codeLength,
    ...apps.map(({ policy }) => policy.codeLength ?? codeLength),
  ])
  return [...lengths].sort().map((length) => {
    const bound = guessBoundPerYear(windows, length) * 100
    const percent = Number(bound.toPrecision(2))
    const detail = `${length} digits: at most ${percent} % a year per recipient`
    const budget = `${guessBudgetPerDay} failures a day and ${guessBudgetPerMonth} in 30 days`
    const isWeak = bound > 0.1
    return isWeak
      ? warning('guess bound', `${detail} (${budget})`, 'use longer codes or a smaller budget')
      : ok('guess bound', `${detail} (${budget})`)
  })
}

/** Each app's mail server, and with `sendTo` a real mail through it. */
export async function checkMailServers(
  ports: OpenPorts,
  apps: App[],
  sendTo: string | undefined,
): Promise<Finding[]> {
  const withMail = apps.filter(({ email }) => email !== null)
  if (withMail.length === 0) {
    return [ok('mail', 'no app has a mail server, so there is none to try')]
  }
  const mail = withEgress(ports)
  const findings = await Promise.all(
    withMail.map(async (app) => {
      const check = `mail of ${app.name}`
      if (sendTo === undefined) {
        return (await probeApp(mail, app)).map((step) => fromStep(check, step))
      }
      const request = { app, recipient: sendTo }
      const { status, detail, steps } = await sendTestMailOnce(mail, request)
      const tried = steps.map((step) => fromStep(check, step))
      if (steps.some((step) => !step.ok)) return tried
      const sent = `the test mail was ${status}${detail ? `: ${detail}` : ''}`
      const next = 'read what the mail server said; its log has more'
      return [...tried, status === 'sent' ? ok(check, sent) : failed(check, sent, next)]
    }),
  )
  return findings.flat()
}

function fromStep(
  check: string,
  step: { name: string; ok: boolean; detail: string | null },
): Finding {
  const [found = '', ...next] = (step.detail ?? '').split('; ')
  const detail = `${step.name}: ${found}`
  return step.ok ? ok(check, detail) : failed(check, detail, next.join('; ') || 'try again')
}
