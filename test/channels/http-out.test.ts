import { afterAll, describe, expect, test } from 'bun:test'
import { createServer, type Server, type Socket } from 'node:net'
import { ageMaxMs, idleMaxMs, keptMax } from '../../src/channels/http-connections.ts'
import { answerBytesMax, createHttpOut } from '../../src/channels/http-out.ts'
import type { HttpAnswer, HttpFault } from '../../src/domain/http-out.ts'
import { systemTimers } from '../../src/system.ts'
import { dnsOf } from '../support/dns.ts'
import { loopbackHttpOut } from '../support/http.ts'
import { makeCertificate } from '../support/smtp.ts'
import { quickTimers } from './mail-fixtures.ts'

const certificate = makeCertificate()
const closers: (() => unknown)[] = [certificate.remove]
afterAll(() => {
  for (const close of closers) close()
})
const httpOut = loopbackHttpOut()

function post(url: string, body = '') {
  return httpOut({ method: 'POST', url, headers: { 'content-type': 'text/x-test' }, body })
}

function serve(answer: (request: Request) => Response | Promise<Response>, tls = false): string {
  const { cert, key } = certificate
  const server = Bun.serve({ port: 0, fetch: answer, ...(tls && { tls: { cert, key } }) })
  closers.push(() => server.stop(true))
  return `${tls ? 'https' : 'http'}://localhost:${server.port}/token`
}

/** A server that is scripted by the byte; `connections` and `requests` are counted. */
async function listen(
  onRequest: (socket: Socket, number: number) => void,
  hostname = '127.0.0.1',
): Promise<{ url: string; seen: { connections: number; requests: number }; close(): void }> {
  const seen = { connections: 0, requests: 0 }
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    seen.connections++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', () => onRequest(socket, ++seen.requests))
  })
  await new Promise<void>((done) => server.listen(0, hostname, done))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  closers.push(close)
  return { url: `http://${hostname}:${port}/`, seen, close }
}

/** Timers that are so many times faster, and remember what was waited for. */
function hurriedTimers(times: number) {
  const waits: number[] = []
  const after = (ms: number, callback: () => void) => {
    waits.push(ms)
    return systemTimers.after(ms / times, callback)
  }
  return { ...systemTimers, after, waits }
}

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

function answered(answer: HttpAnswer | HttpFault): HttpAnswer {
  if ('fault' in answer) throw new Error(answer.fault)
  return answer
}

describe('a request of a message whose lease may have been taken over', () => {
  test.each([
    ['is sent when the store says that it is held', true, { status: 200 }, 1],
    ['is not sent when another node has it', false, { fault: 'timeout', isSent: false }, 0],
  ] as const)('%s', async (_what, held, answer, requests) => {
    const { url, seen } = await listen((socket) => socket.write(ok))
    const lease = { sureUntil: systemTimers.monotonic(), isHeld: async () => held }

    expect(await httpOut({ method: 'POST', url, lease })).toMatchObject(answer)

    expect(seen.requests).toBe(requests)
  })
})

describe('a request', () => {
  test('is posted as it is, and the answer read with its status and Retry-After', async () => {
    const url = serve(async (request) => {
      const seen = [request.method, request.headers.get('content-type'), await request.text()]
      return Response.json(seen, { status: 429, headers: { 'retry-after': '120' } })
    })

    const answer = await post(`${url}?a=1`, 'ü&=')

    const body = JSON.stringify(['POST', 'text/x-test', 'ü&='])
    expect(answer).toMatchObject({ status: 429, body, retryAfterMs: 120_000 })
  })

  test('of GET has no body, and the headers of the answer are there', async () => {
    const url = serve(async (request) => {
      const { pathname, search } = new URL(request.url)
      const encoding = request.headers.get('accept-encoding')
      const text = `${request.method} ${pathname}${search} ${encoding} ${await request.text()}`
      return new Response(text, { headers: { 'x-id': '7' } })
    })

    const { body, headers } = answered(await httpOut({ method: 'GET', url: `${url}?q=a%20b` }))

    expect([body, headers.get('x-id')]).toEqual(['GET /token?q=a%20b identity ', '7'])
  })

  test('whose header is none is not sent, and nothing is thrown', async () => {
    const { url, seen } = await listen((socket) => socket.write(ok))
    for (const headers of [{ 'x-test': 'a\r\nx-more: b' }, { 'x test': 'a' }]) {
      const answer = await httpOut({ method: 'GET', url, headers })

      expect(answer).toEqual({ fault: 'unreachable', isSent: false })
    }
    expect(seen.requests).toBe(0)
  })

  test('to what is no URL is none', async () => {
    for (const url of ['', 'localhost', 'http://', 'https://[::1', 'https://a b/']) {
      expect(await post(url)).toEqual({ fault: 'unknown_host', isSent: false })
    }
  })

  test('is ended by a signal, also by one that was given before it began', async () => {
    const { url, seen } = await listen(() => {})
    const controller = new AbortController()
    const { signal } = controller

    const running = httpOut({ method: 'GET', url, signal })
    while (seen.requests === 0) await Bun.sleep(1)
    controller.abort()

    expect(await running).toEqual({ fault: 'timeout', isSent: true })
    expect(await httpOut({ method: 'GET', url, signal })).toEqual({
      ...{ fault: 'timeout', isSent: false },
    })
    expect(seen.requests).toBe(1)
  })

  test('that is stopped before it begins ends at once, also where a connection was kept', async () => {
    let requests = 0
    const url = serve(() => new Response(String(++requests)))
    await httpOut({ method: 'GET', url })
    const signal = AbortSignal.abort()

    expect(await httpOut({ method: 'GET', url, signal })).toEqual({
      ...{ fault: 'timeout', isSent: false },
    })
    expect(await httpOut({ method: 'GET', url })).toMatchObject({ body: '2' })
  })

  test('goes to the server itself, whatever proxy the environment names', async () => {
    const url = serve(() => new Response('here'))
    const proxy = await listen((socket) => socket.write(ok))
    const env = { HTTP_PROXY: proxy.url, http_proxy: proxy.url, ALL_PROXY: proxy.url }

    expect(await elsewhere(url, env)).toBe('200')
    expect(proxy.seen.connections).toBe(0)
  })
})

describe('an answer', () => {
  test('that is a redirect is not followed', async () => {
    let visits = 0
    const target = serve(() => {
      visits++
      return new Response('secret taken')
    })
    for (const location of [target, 'http://169.254.169.254/latest/meta-data', '//localhost/']) {
      for (const status of [301, 302, 303, 307, 308]) {
        const url = serve(() => new Response('', { status, headers: { location } }))
        expect(await post(url, 'a')).toMatchObject({ status, body: '' })
      }
    }
    expect(visits).toBe(0)
  })

  test('is read up to 64 KiB, and then no further', async () => {
    const most = serve(() => new Response('x'.repeat(answerBytesMax)))
    const more = serve(() => new Response('x'.repeat(answerBytesMax + 1)))
    const zipped = serve(() => {
      const body = Bun.gzipSync(Buffer.alloc(10_000_000))
      return new Response(body, { headers: { 'content-encoding': 'gzip' } })
    })

    expect(answered(await post(most)).body.length).toBe(answerBytesMax)
    expect(await post(more)).toEqual({ fault: 'too_long', isSent: true })
    // A short answer stays short: it is not expanded.
    expect(answered(await post(zipped)).body.length).toBeLessThan(20_000)
  })

  test('of 900 MB takes neither the memory nor the time of one', async () => {
    const chunk = Buffer.alloc(1_000_000, 120)
    let written = 0
    const heads = ['content-length: 900000000', 'transfer-encoding: chunked', 'connection: close']
    for (const head of heads) {
      const { url } = await listen((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`)
        const write = () => {
          if (written >= 900_000_000 || socket.destroyed) return
          written += chunk.length
          if (head.startsWith('transfer')) socket.write(`${chunk.length.toString(16)}\r\n`)
          socket.write(chunk)
          if (head.startsWith('transfer')) socket.write('\r\n')
          setTimeout(write)
        }
        write()
      })
      written = 0
      const before = process.memoryUsage.rss()

      expect(await post(url)).toEqual({ fault: 'too_long', isSent: true })
      expect(written).toBeLessThan(100_000_000)
      expect(process.memoryUsage.rss() - before).toBeLessThan(150_000_000)
    }
  })

  test('with a head without end is too long', async () => {
    const { url } = await listen((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const write = () => {
        if (!socket.destroyed) socket.write(`x-more: ${'y'.repeat(1_000)}\r\n`, () => write())
      }
      write()
    })

    expect(await post(url)).toMatchObject({ isSent: true, fault: 'too_long' })
  })

  test('that does not begin or does not end in time is none', async () => {
    const quick = loopbackHttpOut({}, quickTimers(100))
    const silent = await listen(() => {})
    const drip = await listen((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    for (const { url } of [silent, drip]) {
      const answer = await quick({ method: 'POST', url, body: '' })

      expect(answer).toEqual({ fault: 'timeout', isSent: true })
    }
  })

  test('that comes one byte a second is given up when it pauses or when its time is over', async () => {
    const timers = hurriedTimers(20)
    const hurried = loopbackHttpOut({}, timers)
    const { url } = await listen((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 50)
      socket.on('close', () => clearInterval(timer))
    })
    const paused = await listen((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nx')
    })

    const startedAt = performance.now()
    const late = { fault: 'timeout', isSent: true } as const
    expect(await hurried({ method: 'POST', url, body: '' })).toEqual(late)
    expect(performance.now() - startedAt).toBeGreaterThan(450)
    expect(timers.waits).toContain(10_000)

    expect(await hurried({ method: 'POST', url: paused.url, body: '', maxMs: 60_000 })).toEqual(
      late,
    )
    expect(timers.waits).toContain(60_000)
    expect(performance.now() - startedAt).toBeLessThan(2_000)
  })

  test('that is none, is cut short or changes the protocol is none', async () => {
    const wrong = [
      '220 mail.acme.test ESMTP\r\n',
      'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
      '\0\0\0',
      '',
    ]
    for (const bytes of wrong) {
      const { url } = await listen((socket) => socket.end(bytes))

      expect(await post(url)).toEqual({ fault: 'unreachable', isSent: true })
    }
  })

  test('may come after others that only announce it', async () => {
    const { url } = await listen((socket) => {
      socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n${ok}`)
    })

    expect(await post(url)).toMatchObject({ status: 200, body: 'ok' })
  })
})

describe('where nothing can be sent', () => {
  test('because nothing listens or there is no such name, the fault says so', async () => {
    const { url, close } = await listen(() => {})
    close()

    expect(await post(url)).toEqual({ fault: 'unreachable', isSent: false })
    const unknown = await post('https://nowhere.acme.test/')
    expect(unknown).toEqual({ fault: 'unknown_host', isSent: false })
  })

  test('because the DNS or the server does not answer, the time is over soon', async () => {
    const dns = { addresses: () => new Promise<string[]>(() => {}) }
    const timers = quickTimers(50)
    const unanswered = createHttpOut({ timers, dns, egressAllow: [] })
    const request = { method: 'GET', url: 'https://slow.acme.test/' } as const

    const late = { fault: 'timeout', isSent: false } as const
    expect(await unanswered(request)).toEqual(late)
    // It takes the connection and says nothing of TLS.
    const { url } = await listen(() => {})
    const quick = loopbackHttpOut({}, hurriedTimers(100))
    const startedAt = performance.now()
    const answer = await quick({ ...request, url: url.replace('http:', 'https:'), maxMs: 900_000 })
    expect(answer).toEqual(late)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })

  test('because the other side does not speak TLS, it has got none of the request', async () => {
    const heard: string[] = []
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', (data) => {
        heard.push(data.toString('latin1'))
        socket.end(ok)
      })
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    closers.push(() => server.close())
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0

    const answer = await post(`https://localhost:${port}/`, 'secret')

    expect(answer).toEqual({ fault: 'unreachable', isSent: false })
    expect(heard.join()).not.toContain('secret')
  })
})

/** The status or fault of a request by another process, with this environment. */
async function elsewhere(url: string, env: Record<string, string>): Promise<string> {
  const script = `
    import { loopbackHttpOut } from '${import.meta.dir}/../support/http.ts'
    const zone = { 'addresses other.acme.test': ['127.0.0.1'] }
    const answer = await loopbackHttpOut(zone)({
      method: 'POST', url: process.argv[1], body: 'secret',
    })
    process.stdout.write(String(answer.status ?? answer.fault))
    process.exit()`
  const child = Bun.spawn([process.execPath, '-e', script, url], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdout: 'pipe',
  })
  return new Response(child.stdout).text()
}

test('a certificate must be trusted and for the name, whatever the environment says', async () => {
  let visits = 0
  const url = serve(() => {
    visits++
    return new Response('')
  }, true)
  const extra = { NODE_EXTRA_CA_CERTS: certificate.caFile }

  expect(await elsewhere(url, {})).toBe('certificate')
  expect(await elsewhere(url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toBe('certificate')
  // Trusted ones for other names, at the right address.
  expect(await elsewhere(url.replace('localhost', 'other.acme.test'), extra)).toBe('certificate')
  expect(await elsewhere(url.replace('localhost', '127.0.0.2'), extra)).toBe('certificate')
  expect(visits).toBe(0)
  expect(await elsewhere(url, extra)).toBe('200')
  expect(await elsewhere(url.replace('localhost', '127.0.0.1'), extra)).toBe('200')
})

describe('a connection', () => {
  const ask = (http: typeof httpOut, url: string) => http({ method: 'POST', url, body: 'x' })

  test('serves the next request to the same server, but no other name at its address', async () => {
    const { url, seen } = await listen((socket) => socket.write(ok))
    const { port } = new URL(url)
    const names = ['one.acme.test', 'two.acme.test']
    const http = loopbackHttpOut(
      Object.fromEntries(names.map((name) => [`addresses ${name}`, ['127.0.0.1']])),
    )
    for (let times = 0; times < 5; times++) {
      for (const name of names) answered(await ask(http, `http://${name}:${port}/`))
    }

    expect(seen).toEqual({ connections: 2, requests: 10 })
  })

  test('is used by one request at a time', async () => {
    const { url, seen } = await listen((socket) => void setTimeout(() => socket.write(ok), 20))
    const http = loopbackHttpOut()

    await Promise.all(Array.from({ length: 20 }, () => ask(http, url)))
    await Promise.all(Array.from({ length: 20 }, () => ask(http, url)))

    expect(seen).toEqual({ connections: 20, requests: 40 })
  })

  test('is not kept where the server says so, or after an answer that is not as it should be', async () => {
    const endings = [
      'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok',
      'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok',
      `${ok}more`,
      ok + ok,
    ]
    for (const bytes of endings) {
      const { url, seen } = await listen((socket) => socket.write(bytes))
      const http = loopbackHttpOut()
      for (let times = 0; times < 3; times++) {
        await ask(http, url)
        await Bun.sleep(5)
      }

      expect({ bytes, ...seen }).toEqual({ bytes, connections: 3, requests: 3 })
    }
  })

  test('on which an answer comes that nobody asked for is closed', async () => {
    const { url, seen } = await listen((socket, number) => {
      socket.write(ok)
      if (number === 1) setTimeout(() => socket.write(ok.replace('ok', 'no')), 20)
    })
    const http = loopbackHttpOut()

    await ask(http, url)
    await Bun.sleep(50)

    expect(answered(await ask(http, url)).body).toBe('ok')
    expect(seen.connections).toBe(2)
  })

  test('that the server has closed meanwhile is not used', async () => {
    const { url, seen } = await listen((socket) => {
      socket.write(ok)
      setTimeout(() => socket.end(), 10)
    })
    const http = loopbackHttpOut()
    for (let times = 0; times < 3; times++) {
      answered(await ask(http, url))
      await Bun.sleep(40)
    }

    expect(seen.connections).toBe(3)
  })

  test('that breaks under a request leaves open whether the message was taken', async () => {
    const { url } = await listen((socket, number) => {
      if (number === 1) socket.write(ok)
      else socket.destroy()
    })
    const http = loopbackHttpOut()

    answered(await ask(http, url))
    expect(await ask(http, url)).toEqual({ fault: 'unreachable', isSent: true })
  })

  test('that is not used ends after its time, and every one at a certain age', async () => {
    let now = 0
    const idle: { ms: number; callback: () => void }[] = []
    const timers = {
      ...systemTimers,
      monotonic: () => now,
      after: (ms: number, callback: () => void) => {
        if (ms !== idleMaxMs) return systemTimers.after(ms, callback)
        idle.push({ ms, callback })
        return () => {}
      },
    }
    const { url, seen } = await listen((socket) => socket.write(ok))
    const http = loopbackHttpOut({}, timers)

    await ask(http, url)
    idle.at(-1)?.callback()
    await ask(http, url)
    expect(seen.connections).toBe(2)

    // It is not kept after the request during which it came of age.
    now = ageMaxMs + 1
    await ask(http, url)
    expect(seen.connections).toBe(2)
    await ask(http, url)
    expect(seen.connections).toBe(3)
  })

  test('is kept with others up to a bound, beyond which the longest unused ends', async () => {
    const { url } = await listen((socket) => void setTimeout(() => socket.write(ok), 50))
    const { port } = new URL(url)
    let open = 0
    const counted = createServer((socket) => {
      open++
      socket.on('error', () => {})
      socket.on('close', () => open--)
      socket.on('data', () => setTimeout(() => socket.write(ok), 50))
    })
    await new Promise<void>((done) => counted.listen(Number(port), '127.0.0.9', done))
    closers.push(() => counted.close())
    const http = loopbackHttpOut()

    const many = Array.from({ length: keptMax + 20 }, () => ask(http, `http://127.0.0.9:${port}/`))
    for (const answer of await Promise.all(many)) answered(answer)
    await Bun.sleep(20)
    expect(open).toBe(keptMax)
    expect(answered(await ask(http, url)).status).toBe(200)
    await Bun.sleep(20)
    expect(open).toBe(keptMax - 1)
  })
})

test('the addresses of a name are judged before each connection', async () => {
  const dns = dnsOf({ 'addresses gateway.acme.test': ['127.0.0.1'] })
  const http = createHttpOut({ timers: systemTimers, dns, egressAllow: ['127.0.0.1/32'] })
  const right = await listen((socket) => {
    socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok')
  })
  const url = right.url.replace('127.0.0.1', 'gateway.acme.test')

  answered(await http({ method: 'GET', url }))
  answered(await http({ method: 'GET', url }))

  expect(dns.asked).toEqual(Array(2).fill('addresses gateway.acme.test'))
})
