import { afterAll, expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { answerBytesMax, createPostForm } from '../../src/channels/http-out.ts'
import { systemTimers } from '../../src/system.ts'
import { makeCertificate } from '../support/smtp.ts'
import { quickTimers } from './mail-fixtures.ts'

const certificate = makeCertificate()
const servers: { stop(force: boolean): unknown }[] = []
afterAll(() => {
  certificate.remove()
  for (const server of servers) server.stop(true)
})
const post = createPostForm(systemTimers)

function serve(answer: (request: Request) => Response | Promise<Response>, tls = false): string {
  const { cert, key } = certificate
  const server = Bun.serve({ port: 0, fetch: answer, ...(tls && { tls: { cert, key } }) })
  servers.push(server)
  return `${tls ? 'https' : 'http'}://localhost:${server.port}/token`
}

test('a form is posted as such, and the answer read with its status and Retry-After', async () => {
  const url = serve(async (request) => {
    const seen = [request.method, request.headers.get('content-type'), await request.text()]
    return Response.json(seen, { status: 429, headers: { 'retry-after': '120' } })
  })

  const answer = await post(url, { grant_type: 'a b', secret: 'ü&=' })

  const type = 'application/x-www-form-urlencoded;charset=UTF-8'
  const body = JSON.stringify(['POST', type, 'grant_type=a+b&secret=%C3%BC%26%3D'])
  expect(answer).toEqual({ status: 429, body, retryAfterMs: 120_000 })
})

test('a redirect is an answer, and is not followed', async () => {
  let visits = 0
  const target = serve(() => {
    visits++
    return new Response('secret taken')
  })
  for (const status of [301, 302, 307, 308]) {
    const url = serve(() => new Response('', { status, headers: { location: target } }))
    expect(await post(url, { a: '1' })).toMatchObject({ status, body: '' })
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

  expect(await post(most, {})).toMatchObject({ status: 200 })
  for (const url of [more, huge, zipped]) expect(await post(url, {})).toBe('too_long')
})

test('an answer that does not begin or does not end in time is none', async () => {
  const quick = createPostForm(quickTimers(100))
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

  expect(await quick(`http://127.0.0.1:${port}/`, {})).toBe('timeout')
  expect(await quick(drip, {})).toBe('timeout')
  silent.close()
})

test('where nothing listens, or there is no such name, there is no answer', async () => {
  const gone = Bun.serve({ port: 0, fetch: () => new Response('') })
  const url = `http://localhost:${gone.port}/`
  await gone.stop(true)

  expect(await post(url, {})).toBe('unreachable')
  expect(await post('http://nowhere.invalid/', {})).toBe('unreachable')
})

test('a certificate of an unknown authority gets nothing, whatever the environment says', async () => {
  let visits = 0
  const url = serve(() => {
    visits++
    return new Response('')
  }, true)
  const script = `
    import { createPostForm } from '${import.meta.dir}/../../src/channels/http-out.ts'
    import { systemTimers } from '${import.meta.dir}/../../src/system.ts'
    const answer = await createPostForm(systemTimers)(process.argv[1], { secret: 'x' })
    process.stdout.write(JSON.stringify(answer.status ?? answer))`
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
