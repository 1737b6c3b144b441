import { expect, test } from 'bun:test'
import { read, site } from './fixture.ts'

test('over a socket long bodies, HEAD, odd paths and forged hosts answer the same', async () => {
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
