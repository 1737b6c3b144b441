import { afterAll, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { answerBytesMax, createHttpOut } from '../../src/channels/http-out.ts'
import { systemTimers } from '../../src/system.ts'
import { makeCertificate } from '../support/smtp.ts'
import { quickTimers } from './mail-fixtures.ts'

const certificate = makeCertificate()
const servers: { stop(force: boolean): unknown }[] = []
afterAll(() => {
  certificate.remove()
  for (const server of servers) server.stop(true)
})
const http = createHttpOut({ timers: systemTimers })

function post(url: string, body: string) {
  return http({ method: 'POST', url, headers: { 'content-type': 'text/x-test' }, body })
}

function serve(answer: (request: Request) => Response | Promise<Response>, tls = false): string {
  const { cert, key } = certificate
  const server = Bun.serve({ port: 0, fetch: answer, ...(tls && { tls: { cert, key } }) })
  servers.push(server)
  return `${tls ? 'https' : 'http'}://localhost:${server.port}/token`
}

test('a body is posted as it is, and the answer read with its status and Retry-After', async () => {
  const url = serve(async (request) => {
    const seen = [request.method, request.headers.get('content-type'), await request.text()]
    return Response.json(seen, { status: 429, headers: { 'retry-after': '120' } })
  })

  const answer = await post(url, 'ü&=')

  const body = JSON.stringify(['POST', 'text/x-test', 'ü&='])
  expect(answer).toMatchObject({ status: 429, body, retryAfterMs: 120_000 })
})

test('a GET has no body, and the headers of the answer are there', async () => {
  const url = serve(async (request) => {
    return new Response(`${request.method}${await request.text()}`, { headers: { 'x-id': '7' } })
  })

  const answer = await http({ method: 'GET', url })

  if ('fault' in answer) throw new Error(answer.fault)
  expect([answer.body, answer.headers.get('x-id')]).toEqual(['GET', '7'])
})

test('a signal ends a request, also one that was given before it began', async () => {
  const url = serve(() => new Promise<Response>(() => {}))
  const controller = new AbortController()

  const running = http({ method: 'GET', url, signal: controller.signal })
  controller.abort()

  const late = { fault: 'timeout', isSent: true } as const
  expect(await running).toEqual(late)
  expect(await http({ method: 'GET', url, signal: controller.signal })).toMatchObject({
    fault: 'timeout',
  })
})

test('a redirect is an answer, and is not followed', async () => {
  let visits = 0
  const target = serve(() => {
    visits++
    return new Response('secret taken')
  })
  for (const status of [301, 302, 307, 308]) {
    const url = serve(() => new Response('', { status, headers: { location: target } }))
    expect(await post(url, 'a')).toMatchObject({ status, body: '' })
  }
  expect(visits).toBe(0)
})

test('an answer is read up to 64 KiB', async () => {
  const most = serve(() => new Response('x'.repeat(answerBytesMax)))
  const more = serve(() => new Response('x'.repeat(answerBytesMax + 1)))
  const huge = serve(() => new Response('x'.repeat(10_000_000)))
  const zipped = serve(() => {
    const body = Bun.gzipSync(Buffer.alloc(10_000_000))
    return new Response(body, { headers: { 'content-encoding': 'gzip' } })
  })

  expect(await post(most, '')).toMatchObject({ status: 200 })
  for (const url of [more, huge, zipped])
    expect(await post(url, '')).toEqual({ fault: 'too_long', isSent: true })
})

test('an answer that does not begin or does not end in time is none', async () => {
  const quick = createHttpOut({ timers: quickTimers(100) })
  const silent = createServer((socket) => void socket.on('error', () => {}))
  await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done))
  const address = silent.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const drip = serve(() => {
    const body = new ReadableStream({
      async pull(controller) {
        await Bun.sleep(20)
        controller.enqueue(Buffer.from('x'))
      },
    })
    return new Response(body)
  })

  const late = { fault: 'timeout', isSent: true } as const
  for (const url of [`http://127.0.0.1:${port}/`, drip]) {
    expect(await quick({ method: 'POST', url, body: '' })).toEqual(late)
  }
  silent.close()
})

test('where nothing listens, or there is no such name, there is no answer', async () => {
  const gone = Bun.serve({ port: 0, fetch: () => new Response('') })
  const url = `http://localhost:${gone.port}/`
  await gone.stop(true)

  expect(await post(url, '')).toEqual({ fault: 'unreachable', isSent: false })
  const unknown = await post('http://nowhere.invalid/', '')
  expect(unknown).toEqual({ fault: 'unknown_host', isSent: false })
})

test('a certificate of an unknown authority gets nothing, whatever the environment says', async () => {
  let visits = 0
  const url = serve(() => {
    visits++
    return new Response('')
  }, true)
  const script = `
    import { createHttpOut } from '${import.meta.dir}/../../src/channels/http-out.ts'
    import { systemTimers } from '${import.meta.dir}/../../src/system.ts'
    const http = createHttpOut({ timers: systemTimers })
    const answer = await http({ method: 'POST', url: process.argv[1], body: 'secret' })
    process.stdout.write(JSON.stringify(answer.status ?? answer.fault))`
  const run = (extra: Record<string, string>, to = url) => {
    const env = { PATH: process.env['PATH'] ?? '', ...extra }
    const child = Bun.spawn([process.execPath, '-e', script, to], { env, stdout: 'pipe' })
    return new Response(child.stdout).text()
  }

  expect(await run({})).toBe('"certificate"')
  expect(await run({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toBe('"certificate"')
  // A trusted one for another name.
  const extra = { NODE_EXTRA_CA_CERTS: certificate.caFile }
  expect(await run(extra, url.replace('localhost', '127.0.0.2'))).toBe('"certificate"')
  expect(visits).toBe(0)
  expect(await run(extra)).toBe('200')
})
