import { generateKeyPairSync } from 'node:crypto'
import type { Canary } from '../support/canary.ts'
import { type Environment, eventually, type Ran, run, type Server } from '../support/executable.ts'
import { isOverPostgres } from '../support/story-store.ts'
import { useBot } from './canary-bot.ts'
import { sendNonsense } from './canary-nonsense.ts'
import { type Answer, call, wrongCode } from './client.ts'
import type { MailSink } from './mail-sink.ts'

/** The secrets that must appear nowhere. */
export const secrets = {
  localPart: 'canary.local7f3a',
  password: 'canary-Passw0rd 9c&',
  newPassword: 'canary-N3wPassw0rd',
  secretKey: 'canary-secret-key-51',
  metadata: 'canary-metadata-77',
  idempotencyKey: 'canary-idempotency-3',
  clientAddress: '203.0.113.77',
  variable: 'Canary Qvzx Lovelace',
}

/** The mail servers: one that accepts mail, and others that quote what they refuse. */
export type MailServers = {
  sink: MailSink
  quotesRecipient: number
  quotesLogin: number
  quotesMessage: MailSink
}

export type Stage = {
  canary: Canary
  server: Server
  env: Environment
  token: string
  mail: MailServers
  backupFile: string
}

export type Ask = (
  path: string,
  body?: unknown,
  options?: Parameters<typeof call>[2] & { allowed?: string[] },
) => Promise<Answer>

type Keys = { app: string; live: string; test: string }

let people = 0

/** One recipient for each step, because the limits are per recipient. */
export function person(): string {
  return `${secrets.localPart}.${people++}@example.com`
}

/** The recipients that refusing mail servers quote. */
export const quoted = `${secrets.localPart}.quoted@example.com`

/** Uses everything that handles a secret, and passes every answer to the canary. */
export async function play(stage: Stage): Promise<void> {
  const { canary, server } = stage
  const ask: Ask = async (path, body, { allowed = [], ...options } = {}) => {
    const answer = await call(`${server.base}${path}`, body, options)
    canary.see(`the answer of ${path}`, answer.text, allowed)
    canary.see(`the headers of ${path}`, JSON.stringify([...answer.headers]))
    return answer
  }
  const keys = await makeApps(stage, ask)
  await useOriginalApi(stage, ask)
  await useVerifications(stage, ask, keys.live)
  await useTemplates(stage, ask, keys)
  await meetRefusals(stage, ask, keys)
  await sendNonsense(stage, ask, keys.live)
  await useBot(stage, ask, keys)
  await useInbox(stage, ask, keys.test)
  await runCommands(stage, keys.app)
  await readRecords(stage, ask, keys.app)
}

async function makeApps({ canary, token, mail }: Stage, ask: Ask): Promise<Keys> {
  const email = {
    ...{ host: '127.0.0.1', port: mail.sink.port, security: 'none', user: 'codes' },
    ...{ password: secrets.password, from: 'no-reply@acme.test' },
  }
  const keyNames = ['live key', 'test key']
  const created = await ask('/v1/apps', { name: 'Acme', email }, { token, allowed: keyNames })
  const { id: app = '', live_key: live = '', test_key: test = '' } = created.json
  canary.guard('live key', live)
  canary.guard('test key', test)
  const path = `/v1/apps/${app}`
  const patch = (body: unknown) => ask(path, body, { token, method: 'PATCH' })
  await patch({ email: { host: 'localhost' } })
  await patch({ email: { password: secrets.newPassword } })
  await patch({ email: { password: [secrets.password], port: secrets.password } })
  await patch({ email: { host: '127.0.0.1', password: secrets.newPassword } })
  const second = await ask(`${path}/keys`, { mode: 'live' }, { token, allowed: ['second key'] })
  canary.guard('second key', String(second.json['key']))
  await addDkimKeys(canary, (body) => ask(`${path}/dkim`, body, { token }))
  await ask(`${path}/dkim`, undefined, { token })
  await addWebhooks(canary, (place, body) => ask(`${path}/webhooks${place}`, body, { token }))
  await ask(path, undefined, { token })
  await ask('/v1/apps', undefined, { token })
  return { app, live, test }
}

/** Adds a webhook that is told of everything, and rotates its secret; both are given. */
async function addWebhooks(
  canary: Canary,
  ask: (place: string, body?: unknown) => Promise<Answer>,
): Promise<void> {
  const keys = [crypto.getRandomValues(Buffer.alloc(32)), crypto.getRandomValues(Buffer.alloc(32))]
  for (const [index, key] of keys.entries()) canary.guard(`webhook secret ${index}`, key)
  const [secret, next] = keys.map((key) => `whsec_${key.toString('base64')}`)
  const url = 'https://127.0.0.1/events'
  const added = await ask('', { url, secret, test_events: true })
  if (added.status !== 201) throw new Error(added.text)
  await ask('', { url: secret, secret: `${secret}!`, types: [secret] })
  await ask(`/${added.json.id}/rotate`, { secret: next })
  await ask(`/${added.json.id}/test`, {})
  await ask('')
}

/** Adds a DKIM key that is given, and refuses what is left of it when it is cut. */
async function addDkimKeys(canary: Canary, add: (body: unknown) => Promise<Answer>): Promise<void> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { d = '', p = '' } = privateKey.export({ format: 'jwk' })
  canary.guard('DKIM exponent', Buffer.from(d, 'base64url'))
  canary.guard('DKIM prime', Buffer.from(p, 'base64url'))
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const added = await add({ domain: 'acme.test', private_key: pem })
  if (added.status !== 201) throw new Error(added.text)
  await add({ domain: 'acme.test', private_key: pem.slice(0, -100) })
  await add({ domain: pem, selector: pem, private_key: [pem] })
}

async function useOriginalApi({ token, mail, canary }: Stage, ask: Ask): Promise<void> {
  const { secretKey, password } = secrets
  const server = { smtp_host: '127.0.0.1', smtp_port: mail.sink.port, smtp_security: 'none' }
  const body = { secretKey, ...server, smtp_mail: 'no-reply@acme.test', smtp_password: password }
  await ask('/reg_secretkey', body)
  await ask('/reg_secretkey', { ...body, smtp_port: password }, { token })
  await ask('/reg_secretkey', body, { token })
  await ask('/reg_secretkey', body, { token })
  const to = person()
  const sent = await ask('/otp', { mail: to, secretKey })
  const code = await mailedCode(canary, mail.sink, to)
  await ask('/otp', { mail: to, secretKey })
  await ask('/otp', { mail: `${to} ${to}`, secretKey })
  await ask('/otp', { mail: to, secretKey: `${secretKey}-wrong` })
  await ask('/otp', { mail: to, secretKey: [secretKey] })
  await ask('/verify-otp', { shareableKey: sent.text, otp: wrongCode(code) })
  await ask('/verify-otp', { shareableKey: sent.text, otp: [code] })
  await ask('/verify-otp', { shareableKey: `${sent.text}x`, otp: code })
  await ask('/verify-otp', { shareableKey: sent.text, otp: code })
  await ask('/verify-otp', { shareableKey: sent.text, otp: code })
}

/** Values for a template, which go into the mail and nowhere else. */
async function useTemplates(stage: Stage, ask: Ask, { app, live, test }: Keys): Promise<void> {
  const { canary, mail, token, env } = stage
  const template = {
    subject: '{{code}} is your code',
    text: '{{code}} {{who}}',
    html: '<p>{{code}} {{who}}</p>',
    variables: ['who'],
  }
  const path = `/v1/apps/${app}/templates/de`
  await ask(path, template, { token, method: 'PUT' })
  await ask(path, { ...template, text: secrets.variable }, { token, method: 'PUT' })
  await ask(`${path}/preview`, { values: { who: `${secrets.variable} www.` } }, { token })
  const variables = { who: secrets.variable }
  const to = person()
  const headers = { 'idempotency-key': 'a-key-of-its-own' }
  const start = (body: object) =>
    ask('/v1/verifications', { to, locale: 'de', variables, ...body }, { token: live, headers })
  const started = await start({})
  await start({})
  await start({ variables: { who: `${secrets.variable} ` } })
  await start({ variables: { who: `<${secrets.variable}>` } })
  await start({ variables: { other: secrets.variable } })
  const code = await mailedCode(canary, mail.sink, to)
  const one = `/v1/verifications/${started.json.id}`
  await ask(one, undefined, { token: live })
  await ask(`${one}/check`, { code }, { token: live })
  const waits = { token: test, headers: { prefer: 'wait=5' } }
  await ask('/v1/verifications', { to: person(), locale: 'de', variables }, waits)
  if (env['OTPMINT_DEVELOPER_MODE'] !== 'true') return
  const allowed = ['test code', 'address', 'variable']
  const inbox = await ask('/dev/inbox.json', undefined, { allowed })
  canary.guard('test code', inbox.json.items?.[0]?.code ?? '')
}

async function useVerifications({ canary, mail }: Stage, ask: Ask, token: string): Promise<void> {
  const path = '/v1/verifications'
  const headers = { 'idempotency-key': secrets.idempotencyKey, prefer: 'wait=5' }
  const to = person()
  const body = {
    ...{ to, metadata: { note: secrets.metadata }, client_ip: secrets.clientAddress },
  }
  const allowed = ['metadata']
  const started = await ask(path, body, { token, headers, allowed })
  const code = await mailedCode(canary, mail.sink, to)
  const one = `${path}/${started.json.id}`
  await ask(path, body, { token, headers, allowed })
  await ask(path, { ...body, purpose: 'other' }, { token, headers })
  await ask(one, undefined, { token, allowed })
  await ask(`${path}?to=${encodeURIComponent(to)}`, undefined, { token, allowed })
  await ask(`${path}?status=${encodeURIComponent(to)}`, undefined, { token })
  await ask(`${one}/check`, { code: wrongCode(code) }, { token, allowed })
  await ask(`${one}/check`, { code: `${code}${code}` }, { token })
  await eventually(async () => (await ask(`${one}/resend`, {}, { token, allowed })).status === 200)
  await eventually(() => mail.sink.to(to).length === 2)
  await ask(`${one}/check`, { code }, { token, allowed })
  await ask(`${one}/check`, { code }, { token })
  const canceled = person()
  const other = await ask(path, { to: canceled }, { token })
  await mailedCode(canary, mail.sink, canceled)
  await ask(`${path}/${other.json.id}/cancel`, {}, { token })
}

/** Servers that quote in their replies what they refuse. */
async function meetRefusals(
  { canary, token, mail }: Stage,
  ask: Ask,
  { app, live }: Keys,
): Promise<void> {
  const ports = [mail.quotesRecipient, mail.quotesLogin, mail.quotesMessage.port]
  const listed = await ask(`/v1/apps/${app}/endpoints`, undefined, { token })
  const endpoint = `/v1/apps/${app}/endpoints/${listed.json.items?.[0]?.id}`
  for (const port of ports) {
    const user = port === mail.quotesRecipient ? null : 'codes'
    const login = user && port === mail.quotesLogin ? { user, password: secrets.password } : {}
    const email = { host: '127.0.0.1', port, security: 'none', user: null, ...login }
    const patched = await ask(endpoint, { email }, { token, method: 'PATCH' })
    if (patched.status !== 200) throw new Error(`the mail server was not changed: ${patched.text}`)
    await ask(`/v1/apps/${app}/test-delivery`, { to: quoted }, { token })
    const headers = { prefer: 'wait=5' }
    const one = await ask(
      '/v1/verifications',
      { to: port === mail.quotesRecipient ? quoted : person() },
      { token: live, headers },
    )
    if (!one.json.delivery?.detail) throw new Error(`nothing was refused: ${one.text}`)
  }
  for (const { code } of mail.quotesMessage.mails) {
    if (code !== '000000') canary.guard('code', code)
  }
}

/** Test keys: the code is in the inbox of developer mode and nowhere else. */
async function useInbox({ canary, env }: Stage, ask: Ask, token: string): Promise<void> {
  const headers = { prefer: 'wait=5' }
  await ask('/v1/verifications', { to: person() }, { token, headers })
  if (env['OTPMINT_DEVELOPER_MODE'] !== 'true') return
  const inbox = await ask('/dev/inbox.json', undefined, {
    allowed: ['test code', 'address', 'variable'],
  })
  canary.guard('test code', inbox.json.items?.[0]?.code ?? '')
}

async function runCommands({ canary, env, backupFile }: Stage, app: string): Promise<void> {
  const { password } = secrets
  const type = async (words: string[], stdin = '', allowed: string[] = []): Promise<Ran> => {
    const ran = await run(words, { ...env, OTPMINT_METRICS_LISTEN: 'off' }, { stdin })
    const name = words.slice(0, 2).join(' ')
    canary.see(`stdout of ${name}`, ran.stdout, allowed)
    canary.see(`stderr of ${name}`, ran.stderr, allowed)
    return ran
  }
  const smtp = ['--smtp-host', '127.0.0.1', '--smtp-port', '9', '--smtp-from', 'a@acme.test']
  const words = ['app', 'create', 'Typed', ...smtp, '--smtp-password-file', '-', '--json']
  const created = await type(words, password, ['typed live key', 'typed test key'])
  const json = JSON.parse(created.stdout) as { id: string; live_key: string; test_key: string }
  canary.guard('typed live key', json.live_key)
  canary.guard('typed test key', json.test_key)
  await type(['app', 'list'])
  await type(['app', 'show', app, '--json'])
  await type(['app', 'update', json.id, '--smtp-password-file', '-'], `${password}\u0007`)
  await type(['app', 'create', 'No', '--smtp-password', password])
  await type(['doctor', '--send-to', person()])
  await type(['doctor', '--send-to', `${person()}, ${person()}`])
  // Over PostgreSQL the next key comes with the settings, and backups are the database's own.
  if (!isOverPostgres) {
    await type(['key', 'rotate'])
    await type(['backup', backupFile])
  }
  await type(['audit', 'verify'])
}

async function readRecords({ token, server, canary }: Stage, ask: Ask, app: string): Promise<void> {
  await ask('/v1/stats', undefined, { token })
  for (const page of ['events', 'audit']) {
    await ask(`/v1/${page}?limit=100`, undefined, { token })
  }
  await ask(`/v1/events?app=${app}&type=delivery.refused`, undefined, { token })
  await ask('/readyz')
  canary.see('the metrics', (await call(server.metricsUrl())).text)
}

async function mailedCode(canary: Canary, sink: MailSink, to: string): Promise<string> {
  await eventually(() => sink.to(to).length > 0)
  const code = sink.to(to)[0]?.code ?? ''
  canary.guard('code', code)
  return code
}
