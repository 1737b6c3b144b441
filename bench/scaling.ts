import { counterShards } from '../src/store/postgres/stats.ts'
import { logNormal } from './events.ts'
import { assumed, measured } from './figures.ts'
import { type Calls, rowsUsed, shareOf, simulateCalls, zipf } from './hot-rows.ts'
import { connectionsFor, type Pool, simulatePool } from './pool.ts'
import { markdown } from './report.ts'
import type { Measure } from './run.ts'

/**
 * Computes and simulates what docs/scaling.md says of many servers. Nothing is measured here, so the
 * tables are the same on every machine; test/bench/scaling.test.ts compares them with the page.
 */
export const scaling: Measure = async (bench) => {
  for (const text of scalingTables()) bench.show(text)
  return []
}

export function scalingTables(): string[] {
  return [needs(), endpoints(), shares(), databases(), hotApps(), hotRows(), counters()]
}

const seed = 1
const daySeconds = 86_400
const meanPerSecond = assumed.verificationsPerDay / daySeconds
const peakPerSecond = assumed.peak * meanPerSecond

/** The most starts and checks of a call, and calls of a node at a time: src/store/postgres. */
const startsMax = 64
const checksMax = 128
const callsAtOnce = 2

const usual = { messages: 60_000, grows: true, heldMax: 5_000, seed } as const
const takes = logNormal(assumed.mailSeconds, assumed.mailVariation)
const pool = { ...usual, takes, claimsPerSecond: measured.claimsPerSecond }

const starts: Calls = {
  perSecond: Number.POSITIVE_INFINITY,
  apps: [1],
  nodes: 20,
  batchMax: startsMax,
  callsAtOnce,
  callSeconds: measured.startCallSeconds,
  requestSeconds: measured.startSeconds,
  commitSeconds: assumed.commitWithStandbySeconds,
  processors: assumed.databaseCores,
  holds: 'from the begin',
  rows: 1,
  isOneOfEach: false,
  requests: 60_000,
  seed,
}

/** What a day with so many verifications needs: a figure, how it was computed, the result. */
function needs(): string {
  const { load, wrongChecks, nodeCores, databaseCores } = assumed
  const checksPerSecond = peakPerSecond * (1 + wrongChecks)
  const wal =
    measured.startWal +
    measured.mailWal +
    measured.rightCheckWal +
    wrongChecks * measured.wrongCheckWal
  const rows =
    measured.verificationBytes +
    measured.deliveryBytes +
    measured.tryBytes +
    measured.limitBytes +
    measured.eventBytes
  const startSeconds = { node: measured.nodeMailSeconds, database: databaseStart() }
  const nodeSeconds =
    peakPerSecond * startSeconds.node + checksPerSecond * measured.nodeCheckSeconds
  const databaseCheck = measured.checkSeconds + measured.checkCallSeconds / checksMax
  const databaseSeconds = peakPerSecond * startSeconds.database + checksPerSecond * databaseCheck
  const nodes = Math.ceil(nodeSeconds / load / nodeCores)
  const databases = Math.ceil(databaseSeconds / load / databaseCores)
  const byRows = simulateCalls({ ...starts, apps: zipf(assumed.apps) }).perSecond
  const micros = (seconds: number) => `${number(seconds * 1e6)} us`
  return markdown(
    ['what', 'from', 'result'],
    [
      ['mean', `${number(assumed.verificationsPerDay)} / 86,400 s`, `${number(meanPerSecond)}/s`],
      ['starts at the planned peak', `mean × ${assumed.peak}`, `${number(peakPerSecond)}/s`],
      ['checks at the peak', `starts × ${1 + wrongChecks}`, `${number(checksPerSecond)}/s`],
      [
        'cores of the nodes, in full use',
        `starts × ${micros(startSeconds.node)} + checks × ${micros(measured.nodeCheckSeconds)}`,
        number(nodeSeconds),
      ],
      [`nodes of ${nodeCores} cores`, `cores / ${load} / ${nodeCores}`, number(nodes)],
      [
        'cores of the databases, in full use',
        `starts × ${micros(startSeconds.database)} + checks × ${micros(databaseCheck)}`,
        number(databaseSeconds),
      ],
      [
        `databases of ${databaseCores} cores, each with its standby`,
        `cores / ${load} / ${databaseCores}`,
        number(databases),
      ],
      [
        'databases, because starts wait for rows',
        `starts / (${perSecondOf(byRows)} of a database, see Hot rows) / ${load}`,
        number(Math.ceil(peakPerSecond / byRows / load)),
      ],
      [
        'WAL of a verification',
        `start + mail + right check + ${wrongChecks} wrong`,
        `${number(wal)} bytes`,
      ],
      ['WAL a day', '× verifications', `${number((wal * assumed.verificationsPerDay) / 1e9)} GB`],
      [
        'WAL at the peak, to each standby and to the archive',
        '× starts at the peak',
        `${number((wal * peakPerSecond) / 1e6)} MB/s`,
      ],
      ['rows of a verification, with indexes', 'five tables', `${number(rows)} bytes`],
      [
        'storage a day',
        '× verifications',
        `${number((rows * assumed.verificationsPerDay) / 1e9)} GB`,
      ],
      ['storage of 7 days', '× 7', `${number((7 * rows * assumed.verificationsPerDay) / 1e12)} TB`],
      [
        'from nodes to databases for starts, at the peak',
        `starts × ${number(measured.startCallBytes)} bytes`,
        `${number((peakPerSecond * measured.startCallBytes) / 1e6)} MB/s`,
      ],
      [
        'to mail servers, at the peak',
        `starts × ${number(measured.mailBytes)} bytes`,
        `${number((peakPerSecond * measured.mailBytes) / 1e6)} MB/s`,
      ],
      [
        'connections to mail servers in use at the peak',
        `starts × ${assumed.mailSeconds} s (Little)`,
        number(peakPerSecond * assumed.mailSeconds),
      ],
    ],
  )
}

/** Processor time of a start in a full call, and of writing that its mail was sent. */
function databaseStart(): number {
  return (
    measured.startSeconds + measured.startCallSeconds / startsMax + measured.databaseMailSeconds
  )
}

/** Of `waitsOf`. */
const waitHeads = ['p50', 'p95', 'p99', 'queue, at most']

function waitsOf({ handedOver, queueMax }: ReturnType<typeof simulatePool>): string[] {
  return [...timesOf(handedOver), number(queueMax)]
}

/** The connections that one endpoint needs by its rate, and what a person then waits. */
function endpoints(): string {
  const rows = [1, 10, 100, 1_000].map((perSecond) => {
    const nodes = 3
    const asked = { ...pool, perSecond, nodes, messages: perSecond < 10 ? 20_000 : usual.messages }
    const connections = connectionsFor(asked, 0.5)
    const result = simulatePool({ ...asked, connections })
    return [
      `${number(perSecond)}/s`,
      number(perSecond * assumed.mailSeconds),
      `${number(nodes * connections)} (${connections} each)`,
      percent(result.load),
      ...waitsOf(result),
    ]
  })
  return markdown(
    ['mails of an endpoint', 'in use (Little)', 'connections_max', 'load', ...waitHeads],
    rows,
  )
}

/** The same connections in more and more shares. */
function shares(): string {
  const [perSecond, connections] = [240, 30]
  const rows = [1, 3, 10, 30].map((nodes) => {
    const each = Math.floor(connections / nodes)
    const result = simulatePool({ ...pool, perSecond, nodes, connections: each } satisfies Pool)
    return [
      number(nodes),
      number(each),
      percent(result.load),
      percent(result.waited),
      ...waitsOf(result),
    ]
  })
  return markdown(['nodes', 'connections of each', 'load', 'mails that wait', ...waitHeads], rows)
}

/** What one database starts in a second, by how its apps differ and how long a commit takes. */
function databases(): string {
  const kinds = {
    'one app': [1],
    [`${number(assumed.apps)} apps, Zipf`]: zipf(assumed.apps),
    [`${number(assumed.apps)} apps, all alike`]: even(assumed.apps),
  }
  const commits = [measured.commitSeconds, assumed.commitWithStandbySeconds, 0.002, 0.005]
  const rows = Object.entries(kinds).map(([name, apps]) => [
    name,
    ...commits.map((commitSeconds) =>
      perSecondOf(simulateCalls({ ...starts, apps, commitSeconds }).perSecond),
    ),
  ])
  return markdown(['starts/s of a database, by its commit', ...commits.map(milliseconds)], rows)
}

/** What one database starts in a second, where one app has a share and many small ones the rest. */
function hotApps(): string {
  const others = 100_000
  const rows = [0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].map((share) => {
    const apps = share === 1 ? [1] : [(others * share) / (1 - share), ...even(others)]
    const { perSecond, batchMean } = simulateCalls({ ...starts, apps })
    return [
      percent(share),
      perSecondOf(perSecond),
      perSecondOf(perSecond * share),
      batchMean.toFixed(0),
    ]
  })
  return markdown(
    ['share of the largest app', 'starts/s of the database', 'of that app', 'in a call'],
    rows,
  )
}

/** What the rows that requests wait for carry each, and which whole rate that is. */
function hotRows(): string {
  const share = shareOf(zipf(assumed.apps), 0)
  const app = simulateCalls(starts).perSecond
  const recipient = simulateCalls({ ...starts, isOneOfEach: true, requests: 2_000 }).perSecond
  const load = (rate: number) =>
    simulateCalls({ ...starts, perSecond: rate * app, nodes: 3, requests: 30_000 }).answered
  return markdown(
    ['row', 'carries', 'of the planned peak', 'p50', 'p95', 'p99'],
    [
      ['an app’s limits', perSecondOf(app), percent(app / peakPerSecond), '', '', ''],
      ['the same at 50 %', perSecondOf(app / 2), '', ...timesOf(load(0.5))],
      ['the same at 80 %', perSecondOf(0.8 * app), '', ...timesOf(load(0.8))],
      ['the same at 95 %', perSecondOf(0.95 * app), '', ...timesOf(load(0.95))],
      [
        'a recipient’s limits',
        perSecondOf(recipient),
        percent(recipient / peakPerSecond),
        '',
        '',
        '',
      ],
      [
        `the largest of ${number(assumed.apps)} apps (Zipf)`,
        `needs ${perSecondOf(share * peakPerSecond)}`,
        percent(share),
        ...['', '', ''],
      ],
    ],
  )
}

/** How many counters of an app are used, and what its checks then wait for. */
function counters(): string {
  const checks: Calls = {
    ...starts,
    ...{ callSeconds: measured.checkCallSeconds, requestSeconds: measured.checkSeconds },
    ...{ batchMax: checksMax, callsAtOnce: 1, holds: 'during the commit' },
  }
  const rows = [1, 3, 10, 30].map((nodes) => {
    const of = (rows: number) => simulateCalls({ ...checks, nodes, rows }).perSecond
    const [one, some] = [of(1), of(counterShards)]
    return [
      number(nodes),
      rowsUsed(nodes, counterShards).toFixed(1),
      perSecondOf(one),
      perSecondOf(some),
    ]
  })
  return markdown(
    [
      'nodes',
      `of ${counterShards} counters used`,
      'checks/s of one app, one counter',
      `with ${counterShards}`,
    ],
    rows,
  )
}

function even(count: number): number[] {
  return Array.from({ length: count }, () => 1)
}

function timesOf({ p50, p95, p99 }: { p50: number; p95: number; p99: number }): string[] {
  return [p50, p95, p99].map(milliseconds)
}

function milliseconds(seconds: number): string {
  const value = seconds * 1000
  return `${value < 10 ? value.toFixed(1) : number(value)} ms`
}

/** Two digits: more would say that they are known. */
function perSecondOf(value: number): string {
  return `${number(Number(value.toPrecision(2)))}/s`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 && share > 0 ? 1 : 0)} %`
}

function number(value: number): string {
  const shown = value < 10 ? Number(value.toPrecision(2)) : Math.round(value)
  return shown.toLocaleString('en')
}
