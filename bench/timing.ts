import { createConnection, type Socket } from 'node:net'
import { newApiKey } from '../src/domain/app/api-key.ts'
import { randomBase62 } from '../src/domain/id.ts'
import { systemRandom } from '../src/system.ts'
import { serve } from './executable.ts'
import { type Finding, median } from './report.ts'
import type { Measure } from './run.ts'
import { type Pending, type Seeded, seed } from './seed.ts'

/** Answers of each kind that are timed. */
const samples = 2_000
const warmUp = 300
/** Different requests of a kind, used in turn. */
const variants = 200
/** How often a measure is missed by chance where both kinds take the same time. */
const chance = 0.001

type Request = { path: string; body?: object; authorization?: string }
/** What is asked, and the request of the nth sample. */
type Kind = { name: string; request(n: number): Request }
type Pair = { one: Kind; other: Kind; status: number }

/**
 * Compares the times of two answers whose difference must not tell what the server knows, by the
 * two-sample Kolmogorov-Smirnov test. The kinds are asked in random order over one connection.
 */
export const timing: Measure = async (bench) => {
  const directory = bench.directory()
  const nothing = { smtpPort: null, pending: variants }
  const foreign = await seed(directory, nothing)
  const shareable = await seed(directory, { ...nothing, startedBy: 'original' })
  // A verification takes four wrong codes before its last attempt.
  const pending = Math.ceil((2 * (samples + warmUp)) / 4)
  const own = await seed(directory, { smtpPort: null, pending, revokedKeys: variants })
  const adminToken = newApiKey(systemRandom, 'admin')
  const served = await serve('otpmint', directory, {
    OTPMINT_ADMIN_TOKEN: adminToken,
    OTPMINT_TRUSTED_PROXIES: '127.0.0.1',
  })
  const client = await openTimed(served.url)
  for (const { id, code } of shareable.pending) await client.ask(verifyOtp(id, code))

  const findings: Finding[] = []
  for (const pair of pairs({ own, foreign, shareable, adminToken })) {
    bench.progress(`timing: ${pair.one.name} and ${pair.other.name}`)
    findings.push(await compare(client, pair))
  }
  client.close()
  await served.stop()
  return findings
}

type World = Record<'own' | 'foreign' | 'shareable', Seeded> & { adminToken: string }

function pairs({ own, foreign, shareable, adminToken }: World): Pair[] {
  const unknownKeys = Array.from({ length: variants }, () => newApiKey(systemRandom, 'live'))
  const authorization = own.liveKey
  const check = (id: string, code: string): Request => {
    return { path: `/v1/verifications/${id}/check`, body: { code }, authorization }
  }
  const wrongCode = (name: string, wrong: (code: string) => string): Kind => {
    const request = (n: number) => {
      const { id, code } = nth(own.pending, n >> 2)
      return check(id, wrong(code))
    }
    return { name, request }
  }
  const shareableKey = (name: string, ids: string[]): Kind => {
    return { name, request: (n) => verifyOtp(nth(ids, n), '123456') }
  }
  const checked = (name: string, ids: string[]): Kind => {
    return { name, request: (n) => check(nth(ids, n), '123456') }
  }
  const key = (name: string, keys: string[]): Kind => {
    return { name, request: (n) => ({ path: '/v1/verifications', authorization: nth(keys, n) }) }
  }
  const admin = (name: string, token: string): Kind => {
    return { name, request: () => ({ path: '/v1/apps', authorization: token }) }
  }
  const unknownKind = shareableKey('an unknown shareable key', idsOf(shareable).map(neighbour))
  return [
    { one: unknownKind, other: { ...unknownKind, name: 'the same' }, status: 400 },
    { one: unknownKind, other: shareableKey('a used one', idsOf(shareable)), status: 400 },
    {
      one: checked('an unknown id', idsOf(foreign).map(neighbour)),
      other: checked('one of another app', idsOf(foreign)),
      status: 404,
    },
    {
      one: wrongCode('a wrong code', (code) => code.replace(/\d/g, shifted)),
      other: wrongCode('one with a wrong last digit', (code) => code.replace(/\d$/, shifted)),
      status: 200,
    },
    {
      one: key('an unknown key', unknownKeys),
      other: key('a revoked one', own.revokedKeys),
      status: 401,
    },
    {
      one: admin('a wrong admin token', newApiKey(systemRandom, 'admin')),
      other: admin('one with a wrong last character', withWrongEnd(adminToken)),
      status: 401,
    },
  ]
}

function verifyOtp(shareableKey: string, otp: string): Request {
  return { path: '/verify-otp', body: { shareableKey, otp } }
}

function idsOf({ pending }: { pending: Pending[] }): string[] {
  return pending.map(({ id }) => id)
}

/** An unknown id of the same time, so that both are looked for in the same part of the index. */
function neighbour(id: string): string {
  return id.slice(0, -8) + randomBase62(systemRandom, 8)
}

function nth<Item>(items: Item[], n: number): Item {
  const item = items[n % items.length]
  if (item === undefined) throw new Error('there is nothing to ask for')
  return item
}

const shifted = (digit: string) => String((Number(digit) + 1) % 10)
const withWrongEnd = (token: string) => token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A')

async function compare(client: Timed, { one, other, status }: Pair): Promise<Finding> {
  const times = new Map<Kind, number[]>([
    [one, []],
    [other, []],
  ])
  // Both kinds take their requests from one list, so that none is used twice.
  let asked = 0
  for (let round = 0; round < samples + warmUp; round++) {
    for (const kind of Math.random() < 0.5 ? [one, other] : [other, one]) {
      const answer = await client.ask(kind.request(asked++))
      if (answer.status !== status) throw new Error(`${kind.name} is answered ${answer.status}`)
      if (round >= warmUp) times.get(kind)?.push(answer.micros)
    }
  }
  const [mine = [], others = []] = [...times.values()]
  const figure = distance(mine, others)
  const middle = (values: number[]) => `${median(values).toFixed(0)} us`
  return {
    what: `times of ${one.name} and ${other.name}, Kolmogorov-Smirnov D of ${samples} each`,
    value: figure,
    unit: '',
    judged: { figure, atMost: distanceMax },
    note:
      `${middle(mine)} and ${middle(others)} in the middle; D ${figure.toFixed(4)}, ` +
      `at most ${distanceMax.toFixed(4)} for p ${chance}; p ${probability(figure).toPrecision(2)}`,
  }
}

/** The largest difference between the two empirical distributions. */
function distance(some: number[], others: number[]): number {
  const [a, b] = [some.toSorted((x, y) => x - y), others.toSorted((x, y) => x - y)]
  let [i, j, largest] = [0, 0, 0]
  while (i < a.length && j < b.length) {
    const at = Math.min(a[i] ?? 0, b[j] ?? 0)
    while ((a[i] ?? Number.POSITIVE_INFINITY) <= at) i++
    while ((b[j] ?? Number.POSITIVE_INFINITY) <= at) j++
    largest = Math.max(largest, Math.abs(i / a.length - j / b.length))
  }
  return largest
}

/** The distance that two samples of one distribution exceed with the probability `chance`. */
const distanceMax = Math.sqrt(-Math.log(chance / 2) / 2) * Math.sqrt(2 / samples)

/** How probable so large a distance is within one distribution (Kolmogorov's limit). */
function probability(figure: number): number {
  const scaled = figure * Math.sqrt(samples / 2)
  let sum = 0
  for (let k = 1; k <= 100; k++) sum += (-1) ** (k - 1) * Math.exp(-2 * (k * scaled) ** 2)
  return Math.min(1, 2 * sum)
}

type Timed = {
  /** From the write of the request to the first byte of the answer. */
  ask(request: Request): Promise<{ status: number; micros: number }>
  close(): void
}

/** One connection. Each call has a client address of its own, so that no limit refuses it. */
async function openTimed(url: string): Promise<Timed> {
  const { hostname, port } = new URL(url)
  const socket: Socket = createConnection({ host: hostname, port: Number(port), noDelay: true })
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let address = 0
  return {
    ask({ path, body, authorization }) {
      const text = body ? JSON.stringify(body) : ''
      const n = address++
      const client = `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`.padEnd(15)
      const head = [
        `${body ? 'POST' : 'GET'} ${path} HTTP/1.1`,
        'Host: bench',
        `X-Forwarded-For: ${client}`,
        ...(authorization ? [`Authorization: Bearer ${authorization}`] : []),
        ...(body ? ['Content-Type: application/json', `Content-Length: ${text.length}`] : []),
      ]
      return exchange(socket, `${head.join('\r\n')}\r\n\r\n${text}`)
    },
    close: () => socket.destroy(),
  }
}

function exchange(socket: Socket, request: string): Promise<{ status: number; micros: number }> {
  return new Promise((resolve, reject) => {
    let [answer, micros, begun] = ['', 0, 0]
    const read = (chunk: Buffer) => {
      if (answer === '') micros = (performance.now() - begun) * 1000
      answer += chunk.toString('latin1')
      const end = answer.indexOf('\r\n\r\n')
      const length = Number(/content-length: *(\d+)/i.exec(answer)?.[1] ?? 0)
      if (end < 0 || answer.length < end + 4 + length) return
      socket.off('data', read).off('close', fail)
      resolve({ status: Number(answer.slice(9, 12)), micros })
    }
    const fail = () => reject(new Error('the server closed the connection'))
    socket.on('data', read).once('close', fail)
    begun = performance.now()
    socket.write(request)
  })
}
