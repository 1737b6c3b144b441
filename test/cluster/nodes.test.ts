import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { type Answer, call, wrongCode } from '../e2e/client.ts'
import { type MailSink, mailSink } from '../e2e/mail-sink.ts'
import { type PgBouncer, startPgBouncer } from '../postgres/pgbouncer.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { eventually, executable, killAll, scratch } from '../support/executable.ts'
import { type Nodes, startNodes } from './nodes.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
const attemptsMax = 5
const startsPerDay = 40

let server: PostgresServer
let bouncer: PgBouncer
let nodes: Nodes
let sink: MailSink

beforeAll(async () => {
  server = await startPostgres()
  bouncer = await startPgBouncer(server.port)
  const directUrl = await server.create()
  const env = {
    OTPMINT_ATTEMPTS_MAX: String(attemptsMax),
    OTPMINT_LIMIT_IP_FAILURES_PER_MINUTE: '1000',
  }
  nodes = await startNodes({ folder, url: bouncer.through(directUrl), directUrl, env })
  sink = await mailSink()
})
afterAll(async () => {
  await nodes.stop()
  await Promise.all([sink.close(), killAll()])
  await bouncer.stop()
  await server.stop()
  remove()
})

let people = 0
const someone = () => `person${++people}@example.com`

/** Asks at the same time, each node as often as the others. */
function spread(count: number, ask: (base: string, index: number) => Promise<Answer>) {
  const bases = nodes.list.map(({ base }) => base)
  const asked = Array.from({ length: count }, (_, index) =>
    ask(bases[index % bases.length] ?? '', index),
  )
  return Promise.all(asked)
}

/** How often each answer came: its status, and the code of a problem. */
function tally(answers: Answer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, json } of answers) {
    const name = json.code === undefined ? `${status}` : `${status} ${json.code}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

async function startFor(key: string, to: string): Promise<{ id: string; code: string }> {
  const { json, text } = await call(`${nodes.base}/v1/verifications`, { to }, { token: key })
  if (json.id === undefined) throw new Error(text)
  await eventually(() => sink.to(to).length > 0)
  return { id: json.id, code: sink.to(to)[0]?.code ?? '' }
}

test('500 parallel guesses over three nodes get exactly as many tries as one after another', async () => {
  const { liveKey } = await nodes.createApp({ port: sink.port })
  const { id, code } = await startFor(liveKey, someone())

  const answers = await spread(500, (base) =>
    call(`${base}/v1/verifications/${id}/check`, { code: wrongCode(code) }, { token: liveKey }),
  )
  const right = await call(
    `${nodes.base}/v1/verifications/${id}/check`,
    { code },
    { token: liveKey },
  )

  expect(tally(answers)).toEqual({ 200: attemptsMax, '409 verification_exhausted': 495 })
  const left = answers.filter(({ status }) => status === 200).map(({ json }) => json.attempts_left)
  expect(left.sort()).toEqual([0, 1, 2, 3, 4])
  expect(right.json.code).toBe('verification_exhausted')
})

test('a right code that three nodes are given at once is accepted once', async () => {
  const { liveKey } = await nodes.createApp({ port: sink.port })
  const { id, code } = await startFor(liveKey, someone())

  const answers = await spread(300, (base) =>
    call(`${base}/v1/verifications/${id}/check`, { code }, { token: liveKey }),
  )

  expect(tally(answers)).toEqual({ 200: 1, '409 verification_used': 299 })
})

test('200 parallel starts for one recipient over three nodes send one mail', async () => {
  const { liveKey } = await nodes.createApp({ port: sink.port })
  const to = someone()

  const answers = await spread(200, (base) =>
    call(`${base}/v1/verifications`, { to }, { token: liveKey }),
  )
  await eventually(() => sink.to(to).length > 0)
  await startFor(liveKey, someone())

  expect(tally(answers)).toEqual({ 201: 1, '429 rate_limited': 199 })
  expect(sink.to(to)).toHaveLength(1)
})

test('an app starts as many verifications a day over three nodes as it may, and not one more', async () => {
  const policy = { starts_per_day: startsPerDay }
  const { liveKey } = await nodes.createApp({ port: sink.port, policy })
  const recipients = Array.from({ length: 150 }, someone)

  const answers = await spread(150, (base, index) =>
    call(`${base}/v1/verifications`, { to: recipients[index] }, { token: liveKey }),
  )

  expect(tally(answers)).toEqual({ 201: startsPerDay, '429 rate_limited': 150 - startsPerDay })
  const mailed = () => recipients.filter((to) => sink.to(to).length > 0).length
  await eventually(() => mailed() === startsPerDay)
})

/** An app whose messages cost something, and a function that changes what one costs. */
async function costlyApp(costPerDay: number) {
  const app = await nodes.createApp({ port: sink.port, policy: { cost_per_day: costPerDay } })
  const shown = await call(`${nodes.base}/v1/apps/${app.id}`, undefined, { token: nodes.token })
  const [endpoint] = shown.json['endpoints'] as { id: string }[]
  const price = async (cost: number) => {
    const url = `${nodes.base}/v1/apps/${app.id}/endpoints/${endpoint?.id}`
    const changed = await call(url, { email: { cost } }, { token: nodes.token, method: 'PATCH' })
    expect(changed.status).toBe(200)
  }
  return { ...app, price }
}

test('messages that three nodes send cost what an app may spend a day, and not one unit more', async () => {
  const apps = await Promise.all(Array.from({ length: 12 }, () => costlyApp(20)))
  /** How the messages of as many starts for each app at once ended. */
  const send = async (cost: number, count: number) => {
    for (const { price } of apps) await price(cost)
    const answers = await spread(apps.length * count, (base, index) => {
      const token = apps[Math.floor(index / count)]?.liveKey ?? ''
      const headers = { prefer: 'wait=20' }
      return call(`${base}/v1/verifications`, { to: someone() }, { token, headers })
    })
    const ends = answers.map(({ json }) => json.delivery?.status)
    return apps.map((_, app) =>
      ends
        .slice(app * count, (app + 1) * count)
        .sort()
        .join(' '),
    )
  }
  const ends = (sent: number, refused: number) =>
    apps.map(() => `${'refused '.repeat(refused)}${'sent '.repeat(sent)}`.trim())
  const mailed = sink.mails.length

  expect(await send(7, 12)).toEqual(ends(2, 10))
  // 6 are left.
  expect(await send(6, 3)).toEqual(ends(1, 2))
  expect(await send(1, 3)).toEqual(ends(0, 3))
  expect(sink.mails.length - mailed).toBe(apps.length * 3)
})

test('one Idempotency-Key on three nodes at once is one verification, one answer and one mail', async () => {
  const { liveKey } = await nodes.createApp({ port: sink.port })
  const to = someone()
  const headers = { 'idempotency-key': 'the-same-everywhere' }
  const ask = (base: string) =>
    call(`${base}/v1/verifications`, { to }, { token: liveKey, headers })

  const answers = await spread(60, ask)
  const later = await spread(6, ask)
  await eventually(() => sink.to(to).length > 0)
  await startFor(liveKey, someone())

  expect(tally([...answers, ...later])).toEqual({ 201: 66 })
  expect(new Set([...answers, ...later].map(({ text }) => text)).size).toBe(1)
  expect(sink.to(to)).toHaveLength(1)
})

test('a key that is revoked on one node is refused on every node by the next request', async () => {
  for (let round = 0; round < 10; round++) {
    const app = await nodes.createApp({ port: sink.port })
    // A check goes by what a node has in memory; so does its refusal of a body.
    const token = app.liveKey
    const asks = [
      (base: string) => call(`${base}/v1/verifications/none`, undefined, { token }),
      (base: string) => call(`${base}/v1/verifications/none/check`, { code: '123456' }, { token }),
      (base: string) => call(`${base}/v1/verifications/none/check`, { code: 1 }, { token }),
    ]
    const ask = (base: string, index: number) =>
      (asks[Math.floor(index / nodes.list.length) % asks.length] ?? call)(base)
    // Every node has it in memory.
    const known = { '404 verification_not_found': 6, '422 invalid_request': 3 }
    expect(tally(await spread(9, ask))).toEqual(known)
    const shown = await call(`${nodes.base}/v1/apps/${app.id}`, undefined, { token: nodes.token })
    const keys = shown.json['keys'] as { id: string; mode: string }[]
    const { id } = keys.find(({ mode }) => mode === 'live') ?? { id: '' }

    const on = nodes.list[round % 3]?.base
    const url = `${on}/v1/apps/${app.id}/keys/${id}`
    const revoked = await call(url, undefined, { token: nodes.token, method: 'DELETE' })

    expect(revoked.status).toBe(204)
    expect(tally(await spread(36, ask))).toEqual({ '401 unauthorized': 36 })
  }
})

test('a policy that is made stricter on one node holds on every node from the next request on', async () => {
  const app = await nodes.createApp({ port: sink.port })
  await spread(6, (base) =>
    call(`${base}/v1/verifications`, { to: someone() }, { token: app.liveKey }),
  )
  const body = { policy: { attempts_max: 3 } }

  const url = `${nodes.list[0]?.base}/v1/apps/${app.id}`
  const changed = await call(url, body, { token: nodes.token, method: 'PATCH' })
  const answers = await spread(30, (base) =>
    call(`${base}/v1/verifications`, { to: someone() }, { token: app.liveKey }),
  )

  expect(changed.status).toBe(200)
  expect(answers.map(({ json }) => json.attempts_left)).toEqual(answers.map(() => 3))
})
