import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { call } from '../e2e/client.ts'
import { run, type Server, start } from '../support/executable.ts'
import { answersOf, brokenPromises, promisedBefore, type Row } from './promises.ts'
import { type Cut, lookInto, type Remains, rebuild } from './replay.ts'
import { attemptsMax, type Recording, storyEnv } from './story.ts'

/** A cut, and the faults of the executable after it. */
export type Complaint = Cut & { what: string }

/** Starts the executable on the files of a cut; returns the faults that `look` finds. */
export async function afterRestart(
  remains: Remains,
  folder: string,
  look: (server: Server, dataDir: string) => Promise<string[]>,
): Promise<Complaint[]> {
  const { files, ...cut } = remains
  rebuild(folder, files)
  const dataDir = join(folder, 'data')
  const said = (what: string): Complaint => ({ ...cut, what })
  try {
    const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir, ...storyEnv })
    try {
      return (await look(server, dataDir)).map(said)
    } finally {
      await server.kill()
    }
  } catch (error) {
    return [said(error instanceof Error ? error.message : String(error))]
  }
}

/** Reads everything from the server that was answered before the cut. */
export async function askAboutPromises(
  { events, liveKey, codes }: Recording,
  point: number,
  { base }: Server,
): Promise<string[]> {
  const appIsPromised = events.slice(0, point).some((event) => {
    return event.kind === 'answer' && event.text.includes(liveKey)
  })
  if (!appIsPromised) return []
  const ask = (path: string, body?: unknown) => {
    return call(`${base}/v1/verifications${path}`, body, { token: liveKey })
  }
  const list = await ask('')
  if (list.status !== 200) return [`the app's key is refused: ${list.text}`]

  const promised = promisedBefore(answersOf(events, attemptsMax), point)
  const rows = new Map<string, Row>()
  const said: string[] = []
  for (const { id } of promised.values()) {
    const { status, json } = await ask(`/${id}`)
    if (status !== 200) continue
    const spent = attemptsMax - Number(json.attempts_left)
    const isSettled = json.status === 'approved' || json.status === 'canceled'
    rows.set(id, { status: isSettled ? String(json.status) : 'pending', attemptsSpent: spent })
  }
  for (const { kind, detail } of brokenPromises(rows, promised)) said.push(`${kind}: ${detail}`)

  for (const [id, code] of [...codes].filter(([id]) => rows.has(id)).slice(-12)) {
    const { status, attemptsSpent } = rows.get(id) ?? { status: '', attemptsSpent: 0 }
    const isGood = status === 'pending' && attemptsSpent < attemptsMax
    const answer = await ask(`/${id}/check`, { code })
    if ((answer.json.valid === true) !== isGood) {
      said.push(`${id} is ${status} with ${attemptsSpent} spent, its code gets: ${answer.text}`)
    }
  }
  return said
}

/** Checks that the server accepts the token in its file. */
export async function askWithToken({ base }: Server, dataDir: string): Promise<string[]> {
  const path = join(dataDir, 'admin.token')
  if (!existsSync(path)) return ['admin.token is missing']
  const token = readFileSync(path, 'utf8').trim()
  if (!/^[\w]+$/.test(token)) return [`admin.token holds ${JSON.stringify(token.slice(0, 20))}`]
  const { status } = await call(`${base}/v1/apps`, undefined, { token })
  return status === 200 ? [] : [`the token in admin.token gets ${status}`]
}

/** The faults of a backup after a cut: it must restore with all that it was made of. */
export async function restoreBackup(
  recording: Recording,
  { files, ...cut }: Remains,
  folder: string,
  process: string,
): Promise<Complaint[]> {
  const path = recording.backups.get(process) ?? ''
  const said = (what: string): Complaint[] => [{ ...cut, what }]
  if (!files.has(path)) return said(`${path} is missing`)
  const parts = [...files].filter(([name]) => name.startsWith('backups/') || isKey(name))
  const copy = join(folder, 'whole')
  rebuild(copy, new Map(parts))
  const env = { OTPMINT_DATA_DIR: join(copy, 'data'), ...storyEnv }
  const restored = await run(['restore', join(copy, path)], env)
  if (restored.exitCode !== 0) return said(restored.stderr.trim())

  const began = recording.events.findIndex((event) => {
    return event.kind === 'begin' && event.process === process
  })
  const { rows } = lookInto(join(folder, 'rows'), new Map(parts), path)
  const promised = promisedBefore(answersOf(recording.events, attemptsMax), began)
  return brokenPromises(rows, promised).flatMap(({ kind, detail }) => said(`${kind}: ${detail}`))
}

function isKey(path: string): boolean {
  return path.startsWith('data/master.key')
}

/** Runs two at a time, for two cores; each worker has its own folder. */
export async function inTurn<Item, Result>(
  items: Iterable<Item>,
  folder: string,
  work: (item: Item, folder: string) => Promise<Result[]>,
): Promise<Result[]> {
  const waiting = items[Symbol.iterator]()
  const results: Result[] = []
  const worker = async (_: unknown, number: number) => {
    for (let next = waiting.next(); !next.done; next = waiting.next()) {
      results.push(...(await work(next.value, join(folder, `worker-${number}`))))
    }
  }
  await Promise.all(Array.from({ length: 2 }, worker))
  return results
}
