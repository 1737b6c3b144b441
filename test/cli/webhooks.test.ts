import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Webhook as Verifier } from 'standardwebhooks'
import { command, installation, served } from './terminal.ts'

setDefaultTimeout(30_000)

const env = { OTPMINT_EGRESS_ALLOW: '127.0.0.0/8' }
const received: { headers: Record<string, string>; text: string }[] = []
let status = 204
const receiver = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    received.push({ headers: Object.fromEntries(request.headers), text: await request.text() })
    return new Response(null, { status })
  },
})
let place: Awaited<ReturnType<typeof installation>>
let app: string
beforeAll(async () => {
  place = await installation()
  app = JSON.parse((await run('app', 'create', 'Acme', '--json')).out).id
})
afterAll(async () => {
  await receiver.stop(true)
  place.remove()
})

const run = (...argv: string[]) => command([...argv, ...place.at], { env })
const fact = (out: string, name: string) =>
  new RegExp(`^${name}  +(.*)$`, 'm').exec(out)?.[1] ?? `no ${name} in ${out}`

async function added(...flags: string[]) {
  const { out, err, code } = await run('webhook', 'add', app, '--url', receiver.url.href, ...flags)
  expect([code, err]).toEqual([0, ''])
  return { id: fact(out, 'id'), secret: fact(out, 'secret'), out }
}

const remove = (id: string) => run('webhook', 'remove', app, id)

test('a webhook is added with a secret that is shown once, tested, listed and removed', async () => {
  const { id, secret } = await added('--types', 'app.alarm,delivery.failed', '--test-events', 'yes')
  expect(secret).toStartWith('whsec_')
  const tested = await run('webhook', 'test', app, id)
  expect([tested.code, tested.out]).toEqual([0, 'the receiver answered 204\n'])
  const { headers = {}, text = '' } = received.at(-1) ?? {}
  expect(new Verifier(secret).verify(text, headers)).toMatchObject({
    ...{ type: 'webhook.test', data: { app, webhook: id } },
  })
  status = 500
  const broken = await run('webhook', 'test', app, id)
  expect([broken.code, broken.out]).toEqual([1, 'the receiver answered 500\n'])
  status = 204

  const listed = await run('webhook', 'list', app)
  const types = 'delivery.failed,app.alarm'
  expect(listed.out).toBe(`${[id, receiver.url.href, 'on', '0', '-', types].join('\t')}\n`)
  expect(JSON.parse((await run('webhook', 'list', app, '--json')).out).items).toMatchObject([
    { id, test_events: true, waiting: 0 },
  ])
  expect((await remove(id)).out).toBe(`removed ${id}\n`)
  expect((await remove(id)).err).toContain('No such webhook')
  expect((await run('webhook', 'list', app)).out).toBe('')
})

test('a secret comes from a file or standard input, never as an argument, and is not shown', async () => {
  const [first, second] = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`)
  const file = join(place.path, 'secret')
  writeFileSync(file, `${first}\n`)
  chmodSync(file, 0o600)
  const { id, out } = await added('--secret-file', file)
  expect(out).not.toContain('whsec_')
  const rotate = ['webhook', 'rotate', app, id, '--secret-file', '-', ...place.at]
  const rotated = await command(rotate, { env, input: second ?? '' })
  expect([rotated.code, rotated.out.includes('whsec_')]).toEqual([0, false])
  expect(fact(rotated.out, 'former secret until')).toMatch(/^\d{4}-/)
  await run('webhook', 'test', app, id)
  const { headers = {}, text = '' } = received.at(-1) ?? {}
  for (const each of [first, second]) {
    expect(new Verifier(each ?? '').verify(text, headers)).toBeDefined()
  }
  const ended = await run('webhook', 'rotate', app, id, '--keep-former-seconds', '0')
  expect(fact(ended.out, 'secret')).toStartWith('whsec_')
  expect(ended.out).not.toContain('former')

  writeFileSync(file, 'canary')
  const wrong = await run('webhook', 'update', app, id, '--secret-file', file)
  expect([wrong.code, wrong.err]).toEqual([
    2,
    'otpmint webhook update: --secret-file must be "whsec_" and 24 to 64 bytes in base64\n',
  ])
  expect((await run('webhook', 'add', app, '--secret', 'x')).err).toContain('no flag --secret')
  await remove(id)
})

test('what is wrong is refused by flag', async () => {
  const wrong = ['--url', 'ftp://x', '--types', 'x', '--enabled', 'maybe', '--test-events', '1']
  const { code, err } = await run('webhook', 'add', app, ...wrong)
  expect(code).toBe(2)
  for (const flag of ['url', 'types', 'enabled', 'test-events']) {
    expect(err).toContain(`otpmint webhook add: --${flag} must be`)
  }
  expect((await run('webhook', 'add', app)).err).toBe('otpmint webhook add: --url is missing\n')
  for (const [argv, says] of [
    [['replay', app, 'x'], '--message is missing, or --from is'],
    [
      ['replay', app, 'x', '--message', 'msg_1', '--from', '2026-11-22T09:00:00Z'],
      'not for one message',
    ],
    [['replay', app, 'x', '--from', 'noon'], '--from must be a UTC time'],
    [['messages', app, 'x', '--cursor', '5'], '--cursor must be'],
  ] as const) {
    const answer = await run('webhook', ...argv)
    expect([argv[0], answer.code, answer.err]).toEqual([argv[0], 2, expect.stringContaining(says)])
  }
})

test('the server sends what the command adds, switches on and replays', async () => {
  const server = await served(place.at, { env })
  const { id, secret } = await added()
  await run('webhook', 'update', app, id, '--types', 'verification.canceled')
  const { key } = JSON.parse((await run('app', 'new-key', app, '--mode', 'test', '--json')).out)
  await run('webhook', 'update', app, id, '--test-events', 'yes')
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const post = async (path: string, body: object) => {
    const answer = await fetch(`${server.url}${path}`, {
      ...{ method: 'POST', headers, body: JSON.stringify(body) },
    })
    return (await answer.json()) as { id: string }
  }
  received.length = 0
  const started = await post('/v1/verifications', { to: 'ada@example.com' })
  await post(`/v1/verifications/${started.id}/cancel`, {})
  const until = async (count: number) => {
    for (let waited = 0; received.length < count && waited < 100; waited++) await Bun.sleep(100)
    expect(received).toHaveLength(count)
  }
  await until(1)
  await Bun.sleep(100)
  const listed = (await run('webhook', 'messages', app, id)).out.trim().split('\t')
  const [message = ''] = listed
  expect(listed.slice(2)).toEqual([
    'verification.canceled',
    'delivered',
    '1',
    '-',
    '204',
    started.id,
  ])
  expect((await run('webhook', 'messages', app, id, '--dead')).out).toBe('')

  expect((await run('webhook', 'replay', app, id, '--message', message)).out).toBe(
    '1 message is sent again\n',
  )
  await until(2)
  const from = ['--from', '2026-01-01T00:00:00Z']
  expect((await run('webhook', 'replay', app, id, ...from)).out).toBe('0 messages are sent again\n')
  await Bun.sleep(100)
  const all = await run('webhook', 'replay', app, id, ...from, '--all')
  expect(all.out).toBe('1 message is sent again\n')
  await until(3)
  for (const { headers: sent, text } of received) {
    expect(sent['webhook-id']).toBe(message)
    expect(new Verifier(secret).verify(text, sent)).toBeDefined()
  }
  await remove(id)
  await server.stop()
})

test('doctor posts a test message to each webhook of the app that is named', async () => {
  const { id } = await added('--enabled', 'no')
  status = 503
  const wrong = await run('doctor', '--app', app)
  expect(wrong.out).toContain(`${receiver.url}: the receiver answered 503`)
  status = 204
  const { out } = await run('doctor', '--app', app)
  expect(out).toContain(`${receiver.url}: the receiver answered 204; it is off`)
  expect(out).toContain(`otpmint webhook update ${app} ${id} --enabled yes`)
  const before = received.length
  await run('doctor')
  expect(received).toHaveLength(before)
  await remove(id)
})
