import { afterEach, expect, test } from 'bun:test'
import { command, installation, served } from './terminal.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

/** A mail server that accepts connections and sends nothing until it hangs up. */
function silentMailServer() {
  const reached = Promise.withResolvers<void>()
  const sockets: { end(): unknown }[] = []
  const listener = Bun.listen({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        sockets.push(socket)
        reached.resolve()
      },
      data() {},
    },
  })
  const hangUp = () => {
    for (const socket of sockets.splice(0)) socket.end()
    listener.stop(true)
  }
  cleanups.push(hangUp)
  return { port: listener.port, reached: reached.promise, hangUp }
}

/** A server with a request that waits for a mail server that does not answer. */
async function busyServer() {
  const { at, remove } = await installation()
  cleanups.push(remove)
  const mail = silentMailServer()
  const server = await served(at)
  const smtp = ['--smtp-host', '127.0.0.1', '--smtp-port', String(mail.port), '--smtp-no-login']
  const from = ['--smtp-security', 'none', '--smtp-from', 'codes@example.com']
  const { out } = await command(['app', 'create', 'Acme', '--json', ...smtp, ...from, ...at])

  const answer = fetch(`${server.url}/v1/verifications`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${JSON.parse(out).live_key}`,
      'content-type': 'application/json',
      prefer: 'wait=20',
    },
    body: JSON.stringify({ to: 'ada@example.com' }),
  })
  await mail.reached
  return { server, mail, answer, at }
}

test('after a signal running requests are finished, and no new ones are accepted', async () => {
  const { server, mail, answer, at } = await busyServer()

  const ended = server.stop()
  await server.io.logged('stopping')
  const refused = await fetch(`${server.url}/readyz`).catch(() => 'refused')
  mail.hangUp()

  expect(refused).toBe('refused')
  expect((await answer).status).toBe(201)
  expect(await ended).toBe(0)
  const again = await served(at)
  cleanups.push(again.stop)
})

test('a second signal does not wait for running requests', async () => {
  const { server, mail, answer } = await busyServer()

  const ended = server.stop()
  server.io.signal()

  expect(await ended).toBe(1)
  mail.hangUp()
  await answer.catch(() => null)
  await server.io.logged('stopped')
})
