import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { freePort } from '../support/port.ts'
import { command, installation, served, temporary } from './terminal.ts'

setDefaultTimeout(60_000)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function place() {
  const made = await installation()
  cleanups.push(made.remove)
  return made
}

function directory() {
  const made = temporary()
  cleanups.push(made.remove)
  return made.path
}

/** Takes a link as the page of the dashboard does. */
async function accept(link: string, name: string): Promise<Response> {
  const { origin, hash } = new URL(link)
  const token = hash.slice('#/link/'.length)
  const body = JSON.stringify({ token, name, password: 'a quite long pass phrase' })
  const headers = { origin, 'content-type': 'application/json' }
  return fetch(`${origin}/session/accept`, { method: 'POST', headers, body })
}

const linkOf = (text: string) => /http\S+#\/link\/[\w-]{43}/.exec(text)?.[0] ?? ''

test('a server says where its dashboard is, and how to get in while there is no account', async () => {
  const dataDir = directory()
  const first = await served(['--data-dir', dataDir])
  const line = await first.io.logged('dashboard_listening')
  const { out } = await command(['dashboard', 'link', '--data-dir', dataDir])
  const { status } = await accept(out.trim(), 'Ada')
  await first.stop()
  const second = await served(['--data-dir', dataDir])
  cleanups.push(second.stop)
  const later = await second.io.logged('dashboard_listening')

  expect(line['detail']).toContain('"otpmint dashboard link"')
  expect(out).toStartWith(`${line['url']}/#/link/`)
  expect(status).toBe(201)
  expect(later['detail']).toBeUndefined()
})

test('without a server the link is for the one that will run, and says so', async () => {
  const { dataDir } = await place()
  const given = { env: { OTPMINT_DASHBOARD_LISTEN: '' } }
  const usual = await command(['dashboard', 'link', '--data-dir', dataDir], given)
  const env = { OTPMINT_DASHBOARD_URL: 'https://otp.example.com' }
  const json = await command(['dashboard', 'link', '--json', '--data-dir', dataDir], { env })
  const off = { env: { OTPMINT_DASHBOARD_LISTEN: 'off' } }
  const none = await command(['dashboard', 'link', '--data-dir', dataDir], off)

  expect(usual.out).toStartWith('http://127.0.0.1:5001/#/link/')
  expect(usual.err).toContain('start it before the link ends')
  expect(JSON.parse(json.out).url).toStartWith('https://otp.example.com/#/link/')
  expect([none.code, none.err]).toEqual([1, expect.stringContaining('OTPMINT_DASHBOARD_LISTEN')])
  expect(none.out).toBe('')
})

test('developer mode prints a link that works', async () => {
  const server = await served(['--dev'])
  cleanups.push(server.stop)
  while (!server.io.errors().includes('Ctrl-C')) await Bun.sleep(5)

  const { status } = await accept(linkOf(server.io.errors()), 'Ada')

  expect(status).toBe(201)
})

test('the last account can be removed by the command line, and an unknown one not', async () => {
  const dataDir = directory()
  const server = await served(['--data-dir', dataDir])
  cleanups.push(server.stop)
  const { out } = await command(['dashboard', 'link', '--data-dir', dataDir])
  await accept(out.trim(), 'Ada')
  const list = () => command(['account', 'list', '--data-dir', dataDir])

  expect((await list()).out).toStartWith('Ada\tadmin\tno\t')
  const unknown = await command(['account', 'remove', 'Grace', '--data-dir', dataDir])
  expect([unknown.code, unknown.err]).toEqual([1, 'otpmint account remove: No such account\n'])
  expect((await command(['account', 'remove', 'ada', '--data-dir', dataDir])).out).toBe('removed\n')
  expect((await list()).out).toBe('')
})

test('a port that is taken is refused by the name of its setting', async () => {
  const port = freePort()
  const other = Bun.serve({ hostname: '127.0.0.1', port, fetch: () => new Response() })
  cleanups.push(() => other.stop(true))
  const env = { OTPMINT_DASHBOARD_LISTEN: `127.0.0.1:${port}` }

  const { code, err } = await command(['serve', '--port', '0', '--data-dir', directory()], { env })

  expect([code, err]).toEqual([78, expect.stringContaining('set OTPMINT_DASHBOARD_LISTEN')])
})

test('after a stop nothing listens any more', async () => {
  const server = await served(['--data-dir', directory()])
  const { url = '' } = await server.io.logged('dashboard_listening')
  expect((await fetch(`${url}/session`)).status).toBe(401)

  await server.stop()

  expect(fetch(`${url}/session`)).rejects.toThrow()
})
