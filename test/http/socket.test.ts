import { expect, test } from 'bun:test'
import { connect } from 'node:net'
import { read, site } from './fixture.ts'

test('long bodies, HEAD, odd paths and forged hosts get the same answers over a socket', async () => {
  const at = await site()
  at.server.listen({ port: 0, hostname: '127.0.0.1' })
  const base = `http://127.0.0.1:${at.server.server?.port}`
  const headers = { authorization: `Bearer ${at.liveKey}`, 'content-type': 'application/json' }
  const long = 'x'.repeat(20_000)
  const chunked = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(long))
      controller.close()
    },
  })
  try {
    const post = (body: string | ReadableStream) =>
      fetch(`${base}/v1/verifications`, { method: 'POST', headers, body })
    for (const body of [long, chunked]) {
      const answer = await read(await post(body))
      expect(answer).toMatchObject({ status: 413, json: { code: 'body_too_large' } })
    }
    const head = await fetch(`${base}/healthz`, { method: 'HEAD' })
    const odd = await read(await fetch(`${base}/v1/verifications/%ff`, { headers }))
    const slash = await fetch(`${base}/healthz/`)
    const forged = await fetch(`${base}/swagger/json`, {
      headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example' },
    })

    expect([head.status, await head.text()]).toEqual([200, ''])
    expect(odd.json.code).toBe('verification_not_found')
    expect(slash.status).toBe(200)
    expect(await forged.text()).not.toContain('evil.example')
  } finally {
    await at.server.stop(true)
  }
})

test('a second server cannot share the port', async () => {
  const [first, second] = [await site(), await site()]
  first.server.listen({ port: 0, hostname: '127.0.0.1' })
  const port = first.server.server?.port ?? 0
  try {
    expect(() => second.server.listen({ port, hostname: '127.0.0.1' })).toThrow()
  } finally {
    await first.server.stop(true)
  }
})

test('a request with two Host headers is refused', async () => {
  const at = await site()
  at.server.listen({ port: 0, hostname: '127.0.0.1' })
  const port = at.server.server?.port ?? 0
  const head = 'GET /healthz HTTP/1.1\r\nHost: otp.example.com\r\nHost: evil.example\r\n'
  try {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(`${head}Connection: close\r\n\r\n`),
      )
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.on('close', () => resolve(text))
      socket.on('error', reject)
    })
    expect(answer.split('\r\n')[0]).toBe('HTTP/1.1 421 Misdirected Request')
    expect(answer).not.toContain('evil')
  } finally {
    await at.server.stop(true)
  }
})

test('a client that hangs up in the middle of its body is no fault of the server', async () => {
  const at = await site()
  at.server.listen({ port: 0, hostname: '127.0.0.1' })
  const head = [
    'POST /v1/verifications HTTP/1.1',
    'Host: otp.example.com',
    `Authorization: Bearer ${at.liveKey}`,
    'Content-Type: application/json',
    'Content-Length: 100',
  ]
  try {
    const socket = connect(at.server.server?.port ?? 0, '127.0.0.1', () => {
      socket.write(`${head.join('\r\n')}\r\n\r\n{"to":`)
      setTimeout(() => socket.destroy(), 50)
    })
    for (let tries = 0; tries < 100 && at.logged() === ''; tries++) await Bun.sleep(20)

    expect(JSON.parse(at.logged())).toMatchObject({ level: 'debug', event: 'client_gone' })
    expect(at.ports.metrics.render()).toContain('otpmint_http_requests_total{status="5xx"} 0\n')
  } finally {
    await at.server.stop(true)
  }
})
