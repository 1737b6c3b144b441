import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { adminToken, call, createApp, wrongCode } from '../e2e/client.ts'
import { type MailSink, mailSink } from '../e2e/mail-sink.ts'
import { type Environment, eventually } from '../support/executable.ts'
import { createRecorder, type Stop } from './recorder.ts'
import type { TraceEvent } from './trace.ts'

export const attemptsMax = 5

export const storyEnv: Environment = {
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  OTPMINT_ATTEMPTS_MAX: String(attemptsMax),
  // The codes must live longer than the replay.
  OTPMINT_CODE_TTL_SECONDS: '86400',
}

export type Recording = {
  /** The folder of all paths in the events. */
  root: string
  /** The files before the first event. */
  tree: Map<string, Uint8Array>
  events: TraceEvent[]
  /** The real files after the end of each server. */
  stops: Stop[]
  /** The files that each acknowledged `backup` wrote, by the name of its process. */
  backups: Map<string, string>
  liveKey: string
  /** The mailed codes by verification. */
  codes: Map<string, string>
  /** The number of answers about verifications that the client received. */
  received: number
}

/** A client of the server, with what it was answered. */
export type Client = {
  base: string
  liveKey: string
  sink: MailSink
  codes: Map<string, string>
  received: number
  started: number
  /** Failures that no kill explains. */
  faults: string[]
}

/**
 * Records a server: a first start, an app, and `starts` verifications in four parts, with a
 * rotation, a backup, a stop and two kills during traffic between them.
 */
export async function recordStory(folder: string, starts: number): Promise<Recording> {
  const root = join(folder, 'disk')
  const traces = join(folder, 'traces')
  // The folder exists before, like a volume or systemd's StateDirectory.
  for (const path of ['data', 'backups']) mkdirSync(join(root, path), { recursive: true })
  mkdirSync(traces)
  const dataDir = join(root, 'data')
  const env = { OTPMINT_DATA_DIR: dataDir, ...storyEnv }
  const recorder = createRecorder(root, traces)
  const sink = await mailSink()
  const part = Math.ceil(starts / 4)

  const first = await recorder.serve('serve-1', env)
  const { liveKey } = await createApp(first, adminToken(dataDir), { port: sink.port })
  const client = createClient(first.base, liveKey, sink)
  const working = work(client, part)
  const rotated = await recorder.run('rotate', ['key', 'rotate'], env)
  const backUp = ['backup', join(root, 'backups/one.db')]
  const backedUp = await recorder.run('backup', backUp, env)
  await working
  for (const ran of [rotated, backedUp]) if (ran.exitCode !== 0) throw new Error(ran.stderr)
  await first.stop()

  for (const name of ['serve-2', 'serve-3']) {
    const server = await recorder.serve(name, env)
    client.base = server.base
    const killed = new AbortController()
    const interrupted = work(client, Number.POSITIVE_INFINITY, killed.signal)
    const enough = client.started + part
    await eventually(() => client.started >= enough, 120_000)
    killed.abort()
    await server.kill()
    await interrupted
  }
  const last = await recorder.serve('serve-4', env)
  client.base = last.base
  await work(client, part)
  await last.stop()
  await sink.close()
  if (client.faults.length > 0) throw new Error(client.faults.slice(0, 5).join('\n'))
  return {
    ...{ root, tree: new Map(), events: recorder.events(), liveKey },
    ...{ stops: recorder.stops() },
    ...{ backups: new Map([['backup', 'backups/one.db']]) },
    ...{ codes: client.codes, received: client.received },
  }
}

export function createClient(base: string, liveKey: string, sink: MailSink): Client {
  return { base, liveKey, sink, codes: new Map(), received: 0, started: 0, faults: [] }
}

/** Runs verifications, four at a time, up to this number or until the server is to be killed. */
export async function work(client: Client, starts: number, killed?: AbortSignal): Promise<void> {
  const until = client.started + starts
  const worker = async () => {
    while (client.started < until && !killed?.aborted) {
      await one(client, client.started++, killed).catch((error: unknown) => {
        if (!killed?.aborted) client.faults.push(String(error))
      })
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
}

/** Starts a verification, and ends it in one of six ways, in turn. */
async function one(client: Client, number: number, killed?: AbortSignal): Promise<void> {
  const to = `p${number}@example.com`
  const ask = async (path: string, body: unknown) => {
    const url = `${client.base}/v1/verifications${path}`
    const answer = await call(url, body, { token: client.liveKey })
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`)
    client.received++
    return answer.json
  }
  const { id = '' } = await ask('', { to })
  await eventually(() => client.sink.to(to).length > 0 || killed?.aborted === true)
  const code = client.sink.to(to)[0]?.code
  if (code === undefined) return
  client.codes.set(id, code)
  const path = `/${id}/check`
  const wrongs = [0, 1, 2, 0, attemptsMax, 1][number % 6] ?? 0
  for (let wrong = 0; wrong < wrongs; wrong++) await ask(path, { code: wrongCode(code) })
  if (number % 6 < 2) await ask(path, { code })
  if (number % 6 === 3) await ask(`/${id}/cancel`, {})
}
