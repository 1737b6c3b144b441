import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { returnedMail } from '../support/bounces.ts'
import { mailServer } from '../support/smtp.ts'
import { strangeKey } from '../support/world.ts'
import { command, installation, type Served, served } from './terminal.ts'

setDefaultTimeout(30_000)

let place: Awaited<ReturnType<typeof installation>>
let server: Served
let mail: Awaited<ReturnType<typeof mailServer>>
let app: { id: string; live_key: string }
let keyFile: string

beforeAll(async () => {
  place = await installation()
  server = await served(place.at)
  mail = await mailServer()
  const smtp = ['--smtp-host', '127.0.0.1', '--smtp-port', String(mail.port), '--smtp-no-login']
  const from = ['--smtp-from', 'codes@acme.test', '--json', ...place.at]
  app = JSON.parse((await command(['app', 'create', 'Acme', ...smtp, ...from])).out)
  const made = await command(['app', 'new-key', app.id, '--mode', 'inbound', '--json', ...place.at])
  keyFile = `${place.dataDir}/inbound.key`
  writeFileSync(keyFile, `${JSON.parse(made.out).key}\n`)
})
afterAll(async () => {
  await mail.close()
  await server.stop()
  place.remove()
})

const report = (input: string, ...flags: string[]) => {
  const url = ['--public-url', server.url]
  return command(['bounce', ...url, '--key-file', keyFile, ...flags], { input })
}

async function api(path: string, body?: object) {
  const answer = await fetch(server.url + path, {
    method: body ? 'POST' : 'GET',
    headers: {
      authorization: `Bearer ${app.live_key}`,
      ...(body && { 'content-type': 'application/json', prefer: 'wait=10' }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return (await answer.json()) as { id: string; delivery: { status: string } }
}

test('a returned mail is reported silently, and its delivery bounced', async () => {
  const { id } = await api('/v1/verifications', { to: 'ada@example.com' })
  const trace = /^Message-ID: <([^@]+)@/im.exec(mail.arrived.at(-1)?.raw ?? '')?.[1] ?? ''

  expect(await report(returnedMail({ trace }))).toMatchObject({ code: 0, out: '', err: '' })

  expect((await api(`/v1/verifications/${id}`)).delivery.status).toBe('bounced')
})

test('a mail that is no report is taken too, so that no mail server returns it', async () => {
  expect(await report('From x Mon Jun 15 12:00\nSubject: hi\n\nhello\n')).toMatchObject({ code: 0 })
})

test('an empty or too long message is a data error', async () => {
  expect((await report('')).code).toBe(65)
  const long = await report('x'.repeat(256 * 1024 + 1))
  expect([long.code, long.err]).toEqual([65, expect.stringContaining('longer than 256 KiB')])
})

test('while the server does not answer or cannot take it, the mail server is asked to try again', async () => {
  const gone = await command(
    ['bounce', '--public-url', 'http://127.0.0.1:9', '--key-file', keyFile],
    { input: 'x' },
  )
  expect([gone.code, gone.err]).toEqual([75, expect.stringContaining('nothing answers at')])
  const elsewhere = Bun.serve({ port: 0, fetch: () => new Response(null, { status: 204 }) })
  for (const [status, code] of [
    [503, 75],
    [429, 75],
    [413, 65],
    [404, 78],
    [302, 78],
  ] as const) {
    const headers = { location: elsewhere.url.href }
    const busy = Bun.serve({ port: 0, fetch: () => new Response('', { status, headers }) })
    const url = ['--public-url', `http://127.0.0.1:${busy.port}`]
    expect((await report('x', ...url)).code).toBe(code)
    await busy.stop(true)
  }
  await elsewhere.stop(true)
})

test('a key that the server does not know is refused, and a wrong setting named', async () => {
  const other = `${place.dataDir}/other.key`
  const withKey = async (text: string) => {
    writeFileSync(other, text)
    return report('x', '--key-file', other)
  }
  expect((await withKey(strangeKey('inbound'))).code).toBe(77)
  const live = await withKey(app.live_key)
  expect([live.code, live.err]).toEqual([78, expect.stringContaining('otpm_inbound_')])
  expect(live.err).not.toContain(app.live_key)
  expect((await report('x', '--key-file', `${place.dataDir}/none`)).code).toBe(78)
  const plain = await report('x', '--public-url', 'http://otp.example.com')
  expect([plain.code, plain.err]).toEqual([78, expect.stringContaining('https')])
  const none = await command(['bounce', '--public-url', server.url], { input: 'x' })
  expect([none.code, none.err]).toEqual([78, expect.stringContaining('OTPMINT_INBOUND_KEY_FILE')])
})

test('the key file may be a setting of the environment', async () => {
  const env = { OTPMINT_INBOUND_KEY_FILE: keyFile, OTPMINT_PUBLIC_URL: server.url }
  expect((await command(['bounce'], { input: 'Subject: x\n\nx', env })).code).toBe(0)
})
