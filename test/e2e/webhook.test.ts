import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import {
  eventually,
  executable,
  killAll,
  run,
  type Server,
  scratch,
  start,
} from '../support/executable.ts'
import { dumpOf, isOverPostgres } from '../support/story-store.ts'
import { adminToken, call } from './client.ts'

// The channel webhook through the executable, to gateways that verify what they get.
setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
const gateways: { stop(force: boolean): unknown }[] = []
afterEach(async () => {
  for (const gateway of gateways.splice(0)) gateway.stop(true)
  await killAll()
})
afterAll(remove)

const secretOf = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`

type Message = { type: string; id: string; to: string; to_kind: string; code: string; text: string }
type Got = Message & { by: number[] }

/** A gateway that verifies with each of three secrets, and answers as it is told. */
function gateway() {
  const got: Got[] = []
  const state = { got, url: '', answer: (): Response | Promise<Response> => new Response() }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const body = await request.text()
      const headers = Object.fromEntries(request.headers)
      const by = [1, 2, 3].filter((byte) => {
        try {
          return new Webhook(secretOf(byte)).verify(body, headers)
        } catch {
          return false
        }
      })
      if (by.length === 0) return new Response(null, { status: 401 })
      got.push({ ...(JSON.parse(body) as Message), by })
      return state.answer()
    },
  })
  gateways.push(server)
  state.url = `http://127.0.0.1:${server.port}/otp`
  return state
}

/** An installation whose app has one webhook, set up from the command line. */
async function install(name: string, url: string) {
  const dataDir = join(folder, name)
  const own = { OTPMINT_DATA_DIR: dataDir, OTPMINT_LOG_LEVEL: 'debug' }
  const env = { ...own, OTPMINT_EGRESS_ALLOW: '127.0.0.1' }
  const logs: string[] = []
  let server: Server = await start(['serve'], env)
  const command = async (args: string[], stdin = '') => {
    const done = await run([...args, '--json', '--data-dir', dataDir], env, { stdin })
    logs.push(done.stdout, done.stderr)
    return { exitCode: done.exitCode, json: JSON.parse(done.stdout || '{}') }
  }
  const app = (await command(['app', 'create', 'Acme', '--phone-countries', 'DE'])).json
  const add = ['endpoint', 'add', app.id, '--webhook-url', url, '--webhook-secret-file', '-']
  const endpoint = (await command(add, secretOf(1))).json
  const begin = async (to: string, wait = 10) => {
    const headers = { prefer: `wait=${wait}` }
    const body = { to, channel: 'webhook' }
    const { status, json, text } = await call(`${server.base}/v1/verifications`, body, {
      ...{ token: app.live_key, headers },
    })
    logs.push(text)
    if (status >= 400) throw new Error(text)
    return json
  }
  const show = async (id: string, path = '', body?: unknown) => {
    const url = `${server.base}/v1/verifications/${id}${path}`
    const { json, text } = await call(url, body, { token: app.live_key })
    logs.push(text)
    return json
  }
  return {
    ...{ dataDir, env, app, endpoint, command, begin, show },
    alarms: async () => {
      const token = adminToken(dataDir)
      return (await call(`${server.base}/v1/alarms?open=true`, undefined, { token })).json.items
    },
    async crash(more: Record<string, string> = {}) {
      logs.push(server.stdout())
      await server.kill()
      server = await start(['serve'], { ...env, ...more })
    },
    /** Everything that was written: answers, logs, and the files of the data directory. */
    async written() {
      logs.push(server.stdout(), server.stderr())
      await server.stop()
      if (isOverPostgres) return [...logs, await dumpOf(dataDir)].join()
      const files = readdirSync(dataDir).filter((name) => /\.db|\.sqlite|otpmint/.test(name))
      expect(files.length).toBeGreaterThan(0)
      return [...logs, ...files.map((name) => readFileSync(join(dataDir, name), 'latin1'))].join()
    },
  }
}

test('a code reaches a gateway for a mailbox and for a telephone, is used, and is written nowhere', async () => {
  const own = gateway()
  const { endpoint, app, begin, show, command, written } = await install('story', own.url)

  expect(await command(['endpoint', 'test', app.id, endpoint.id])).toMatchObject({ exitCode: 0 })
  expect(own.got).toMatchObject([{ type: 'test', by: [1] }])
  own.got.length = 0
  const recipients = { 'ada@example.com': 'email', '+4915112345678': 'phone' }
  for (const [to, kind] of Object.entries(recipients)) {
    const begun = await begin(to)
    expect(begun.delivery?.status).toBe('sent')
    const message = own.got.at(-1)
    expect(message).toMatchObject({ type: 'message', to, to_kind: kind, by: [1] })
    expect(message?.text).toContain(message?.code ?? '')
    const { valid } = await show(begun.id ?? '', '/check', { code: message?.code })
    expect(valid).toBe(true)
  }

  const text = await written()
  for (const { code } of own.got) expect(text.includes(code)).toBe(false)
  for (const to of Object.keys(recipients)) expect(text.includes(to)).toBe(false)
  expect(text).not.toContain(secretOf(1))
})

test('a gateway whose address is not allowed is not even connected to, and the doctor says why', async () => {
  let connections = 0
  const inside = createServer((socket) => {
    connections++
    socket.destroy()
  })
  await new Promise<void>((done) => inside.listen(0, '127.0.0.1', done))
  const address = inside.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const place = await install('not-allowed', `http://127.0.0.1:${port}/`)
  const { app, endpoint, begin, show, command, crash } = place
  await crash({ OTPMINT_EGRESS_ALLOW: '10.0.0.0/8' })

  const begun = await begin('ada@example.com')
  expect(begun.delivery).toMatchObject({ status: 'refused' })
  expect(begun.delivery?.detail).toContain('OTPMINT_EGRESS_ALLOW')
  const update = ['endpoint', 'update', app.id, endpoint.id, '--webhook-secret-file', '-']
  const again = [...update, '--webhook-url', `http://127.0.0.1:${port}/other`]
  expect((await command(again, secretOf(1))).exitCode).not.toBe(0)

  const { exitCode, json } = await command(['doctor'])
  const findings = (json.findings as { check: string; status: string; detail: string }[]).filter(
    ({ check }) => check === 'webhook of Acme',
  )
  expect([exitCode, findings.map(({ status }) => status)]).toEqual([1, ['failed']])
  expect(connections).toBe(0)
  expect((await show(begun.id ?? '')).deliveries?.[0]?.tries).toMatchObject([{ cause: 'server' }])
  inside.close()
})

test('a message under way at a kill -9 comes again with the same id and the same code', async () => {
  const own = gateway()
  const { begin, show, crash } = await install('crash', own.url)
  const held = Promise.withResolvers<Response>()
  own.answer = () => held.promise

  const begun = await begin('ada@example.com', 0)
  await eventually(() => own.got.length === 1)
  own.answer = () => new Response()
  await crash()
  held.resolve(new Response())
  await eventually(() => own.got.length === 2, 30_000)

  const [one, two] = own.got
  expect([two?.id, two?.code, two?.to]).toEqual([one?.id, one?.code, 'ada@example.com'])
  await eventually(async () => (await show(begun.id ?? '')).delivery?.status === 'sent')
  expect((await show(begun.id ?? '', '/check', { code: two?.code })).valid).toBe(true)
  expect(own.got).toHaveLength(2)
})

test('a secret is replaced without a message that a receiver of either would refuse', async () => {
  const own = gateway()
  const { app, endpoint, begin, command } = await install('rotation', own.url)
  const rotate = ['endpoint', 'rotate', app.id, endpoint.id]

  await command([...rotate, '--secret-file', '-'], secretOf(2))
  await begin('ada@example.com')
  await command([...rotate, '--secret-file', '-', '--keep-former-seconds', '0'], secretOf(3))
  await begin('bob@example.com')
  const made = (await command(rotate)).json.secret
  await begin('eve@example.com')

  expect(own.got.map(({ by }) => by)).toEqual([[1, 2], [3], [3]])
  expect(made).toMatch(/^whsec_[\w+/]{43}=$/)
})

test('a gateway that answers 410 is off until an admin switches it on', async () => {
  const own = gateway()
  const { app, endpoint, begin, command, alarms } = await install('gone', own.url)
  const list = async () => (await command(['endpoint', 'list', app.id])).json.items
  own.answer = () => new Response(null, { status: 410 })

  expect((await begin('ada@example.com')).delivery?.status).toBe('refused')
  await eventually(async () => (await list())[0].off === 'gone')
  expect(await alarms()).toMatchObject([{ kind: 'endpoint_off', endpoint: endpoint.id }])
  await expect(begin('bob@example.com')).rejects.toThrow('channel_not_configured')
  const { findings } = (await command(['doctor'])).json
  expect(JSON.stringify(findings)).toContain(`${endpoint.id} --enabled yes`)

  own.answer = () => new Response()
  const update = ['endpoint', 'update', app.id, endpoint.id, '--enabled', 'yes']
  expect((await command(update)).json.off).toBeNull()
  expect(await alarms()).toEqual([])
  expect((await begin('bob@example.com')).delivery?.status).toBe('sent')
})

test('a redirect and an answer of 900 MB are answers, and the server goes on', async () => {
  const own = gateway()
  const { begin, show } = await install('hostile', own.url)
  let visits = 0
  const elsewhere = Bun.serve({
    ...{ port: 0, hostname: '127.0.0.1' },
    fetch: () => {
      visits++
      return new Response()
    },
  })
  gateways.push(elsewhere)
  const location = `http://127.0.0.1:${elsewhere.port}/`
  own.answer = () => new Response(null, { status: 307, headers: { location } })
  expect((await begin('ada@example.com')).delivery?.status).toBe('refused')
  expect(visits).toBe(0)

  let written = 0
  own.answer = () => {
    const pull = (controller: ReadableStreamDefaultController) => {
      written += 1_000_000
      if (written > 900_000_000) controller.close()
      else controller.enqueue(Buffer.alloc(1_000_000, 120))
    }
    return new Response(new ReadableStream({ pull }))
  }
  const begun = await begin('bob@example.com')
  const [delivery] = (await show(begun.id ?? '')).deliveries ?? []
  expect(delivery?.tries).toMatchObject([{ status: 'deferred', ambiguous: true }])
  expect(written).toBeLessThan(300_000_000)
})
