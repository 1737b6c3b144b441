import { connect } from 'node:net'
import { type Ask, person, type Stage, secrets } from './canary-scenario.ts'

/** Invalid requests with secrets in them. */
export async function sendNonsense(
  { canary, server }: Stage,
  ask: Ask,
  token: string,
): Promise<void> {
  const { password, secretKey, metadata, clientAddress } = secrets
  const to = person()
  const path = '/v1/verifications'
  const texts = [`{"to":"${to}"`, `"${password}"`, `[["${to}"]]`, `{"to":{"${'a'}":"${to}"}}`]
  for (const raw of texts) {
    await ask(path, undefined, { token, raw })
    await ask('/otp', undefined, { raw })
    await ask('/v1/apps', undefined, { raw, token: password.replaceAll(' ', '') })
  }
  const wrong = {
    to: `${to},${to}`,
    channel: password,
    purpose: metadata.repeat(20),
    ttl_seconds: to,
  }
  await ask(path, wrong, { token })
  await ask(path, { to, metadata: { note: [metadata] }, locale: password }, { token })
  await ask(path, { to: 'x'.repeat(17_000) + to }, { token })
  await ask(`${path}/${encodeURIComponent(to)}/check`, { code: secretKey }, { token })
  await ask(`/${encodeURIComponent(secretKey)}/${to}`, undefined, { method: 'DELETE' })
  const basic = Buffer.from(`codes:${password}`).toString('base64')
  await ask(path, { to }, { headers: { authorization: `Basic ${basic}` } })
  await ask(path, { to }, { token: `${token}x`, headers: { 'x-forwarded-for': clientAddress } })
  await ask(path, { to }, { token, headers: { 'content-type': `text/${secretKey}` } })
  const evil = [
    `GET /healthz HTTP/1.1\r\nHost: ${to}\r\nUser-Agent: a\r\nX-${secretKey}: ${password}\r\n\r\n`,
    `GET /healthz HTTP/1.1\r\nHost: a\r\nUser-Agent: ${password}\n{"event":"${secretKey}"}\r\n\r\n`,
    `GET /v1/apps HTTP/1.1\r\nHost: a\r\nUser-Agent: ${password.repeat(900)}\r\n\r\n`,
    `POST /otp HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n${secretKey}`,
    `${secretKey} ${to} HTTP/9.9\r\n\r\n`,
  ]
  for (const text of evil) canary.see('the answer of a raw request', await speak(server.base, text))
}

/** Sends raw bytes; returns the first answer, or nothing when the server hangs up. */
function speak(base: string, text: string): Promise<string> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(text))
    socket.setTimeout(1_000, () => socket.destroy())
    let answer = ''
    socket.on('data', (chunk: Uint8Array) => {
      answer += Buffer.from(chunk).toString('latin1')
      socket.end()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}
