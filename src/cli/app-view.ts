import type { App, AppKey } from '../domain/app.ts'
import { policyRules } from '../domain/policy.ts'
import { timeText } from './output.ts'

/** An app as JSON, in the words of the API; passwords are write-only. */
export function appJson(app: App, keys: AppKey[]) {
  return {
    id: app.id,
    name: app.name,
    policy: Object.fromEntries(policyEntries(app)),
    email: app.email && {
      host: app.email.host,
      port: app.email.port,
      security: app.email.security,
      user: app.email.user,
      from: app.email.from,
      from_name: app.email.fromName,
      has_password: app.email.passwordSealed !== null,
      updated_at: timeText(app.email.updatedAt),
    },
    keys: keys.map(keyJson),
    created_at: timeText(app.createdAt),
    updated_at: timeText(app.updatedAt),
    alarm_since: app.alarmAt === null ? null : timeText(app.alarmAt),
  }
}

export function keyJson(key: AppKey) {
  return {
    id: key.id,
    mode: key.mode,
    hint: keyHint(key),
    created_at: timeText(key.createdAt),
    revoked_at: key.revokedAt === null ? null : timeText(key.revokedAt),
  }
}

/** `name  value` lines for a person. */
export function appFacts(app: App, keys: AppKey[]): [string, string][] {
  return [
    ['id', app.id],
    ['name', app.name],
    ['mail server', mailText(app)],
    ['sender', app.email ? sender(app.email) : '-'],
    ...policyEntries(app).map(([name, value]): [string, string] => [name, String(value)]),
    ...keys.map((key): [string, string] => ['key', keyText(key)]),
    ['created', timeText(app.createdAt)],
    ['updated', timeText(app.updatedAt)],
    ...(app.alarmAt === null ? [] : [['alarm since', timeText(app.alarmAt)] as [string, string]]),
  ]
}

export function mailText({ email }: App): string {
  return email ? `${email.host}:${email.port} (${email.security})` : '-'
}

export function keyHint({ prefix, lastFour }: AppKey): string {
  return `${prefix}...${lastFour}`
}

function keyText(key: AppKey): string {
  const state = key.revokedAt === null ? 'active' : `revoked ${timeText(key.revokedAt)}`
  return `${keyHint(key)}  id ${key.id}  ${state}`
}

function sender(email: NonNullable<App['email']>): string {
  return email.fromName ? `${email.fromName} <${email.from}>` : email.from
}

function policyEntries({ policy }: App): [string, unknown][] {
  return Object.entries(policyRules)
    .map(([field, { wire }]): [string, unknown] => [wire, policy[field as keyof typeof policy]])
    .filter(([, value]) => value !== undefined)
}
