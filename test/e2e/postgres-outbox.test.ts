import { expect, setDefaultTimeout, test } from 'bun:test'
import { createServer, type Socket } from 'node:net'
import { eventually, start } from '../support/executable.ts'
import { call, createApp } from './client.ts'
import { clusterOnServer } from './postgres-cluster.ts'

setDefaultTimeout(120_000)
const place = clusterOnServer()
const { adminToken, nodeOf } = place

/** A mail server that holds the reply to the first recipient until it is told to go on. */
async function holdingServer() {
  const sockets = new Set<Socket>()
  const seen = { recipients: 0, messages: 0 }
  let goOn = () => {}
  const mail = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    let rest = ''
    let inMessage = false
    socket.write('220 ready\r\n')
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (inMessage && line !== '.') continue
        if (inMessage) {
          seen.messages++
          inMessage = false
        }
        if (line === 'DATA') {
          inMessage = true
          socket.write('354 go on\r\n')
        } else if (line.startsWith('RCPT') && ++seen.recipients === 1) {
          goOn = () => void socket.write('250 ok\r\n')
        } else {
          socket.write('250 ok\r\n')
        }
      }
    })
  })
  await new Promise<void>((done) => mail.listen(0, '127.0.0.1', done))
  const address = mail.address()
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    seen,
    open: () => sockets.size,
    goOn: () => goOn(),
    close() {
      for (const socket of sockets) socket.destroy()
      mail.close()
    },
  }
}

test('a node that is stopped in a hand-over sends nothing of it when it goes on, another node has', async () => {
  const url = await place.server.create()
  const mail = await holdingServer()
  const first = await start(['serve'], nodeOf(url))
  const app = await createApp(first, adminToken, { port: mail.port })
  const begun = { to: 'ada@example.com' }
  const started = await call(`${first.base}/v1/verifications`, begun, { token: app.liveKey })
  expect(started.status).toBe(201)
  await eventually(() => mail.seen.recipients === 1)
  process.kill(first.pid, 'SIGSTOP')
  const second = await start(['serve'], nodeOf(url))

  await eventually(() => mail.seen.messages === 1, 30_000)
  mail.goOn()
  process.kill(first.pid, 'SIGCONT')

  const shown = `${second.base}/v1/verifications/${started.json.id}`
  const openBefore = mail.open()
  await eventually(() => mail.open() < openBefore)
  await eventually(async () => {
    const { json } = await call(shown, undefined, { token: app.liveKey })
    return json.delivery?.status === 'sent'
  })
  expect(mail.seen.messages).toBe(1)
  await Promise.all([first.stop(), second.stop()])
  expect(mail.seen.messages).toBe(1)
  mail.close()
})
