import { chmodSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Settings } from '../config/load.ts'
import type { Log } from '../domain/ports.ts'
import type { Finding } from '../domain/server.ts'
import { codeOf } from '../keys/key-file.ts'
import { type DataDirectory, dataDirectory } from './data-directory.ts'

/** The answer of a running server to `otpmint doctor`: settings without secrets, and findings. */
export type ServerReport = {
  settings: Settings
  findings: Finding[]
  /** Where the dashboard is reached; null where it is off. */
  dashboardUrl: string | null
}

export type Control = { close(): Promise<void> }

export type ControlOptions = {
  runtimeDirectory: string | null
  report(): Promise<ServerReport>
  /** Sends no message for so many seconds. */
  pause(seconds: number): void
  log: Log
}

const pausePath = '/pause-sending'
/** A server that was told no more goes on sending after this time at the latest, in s. */
const pauseMax = 60

/** The name of a Unix socket has room for 107 bytes on Linux and 103 elsewhere. */
const pathMax = 100

/**
 * Answers `GET`, and `POST /pause-sending`, over a Unix socket that only the owner of the data directory can use:
 * `control.sock` there, or, where that is impossible, a socket in $RUNTIME_DIRECTORY whose path is
 * in a file of that name. Without a socket the server logs that and goes on. The caller has locked
 * the data directory, so an existing socket is unused.
 */
export function listenForControl(directory: DataDirectory, options: ControlOptions): Control {
  const { control } = directory
  const { runtimeDirectory, log } = options
  const other = runtimeDirectory === null ? null : join(runtimeDirectory, socketName(directory))
  let reason = 'the path of the data directory is too long for a socket'
  for (const path of [control, other]) {
    if (path === null || Buffer.byteLength(path) > pathMax) continue
    try {
      rmSync(control, { force: true })
      rmSync(path, { force: true })
      const server = listen(path, options)
      chmodSync(path, 0o600)
      if (path !== control) writeFileSync(control, `${path}\n`, { mode: 0o600 })
      return {
        async close() {
          await server.stop(true)
          for (const left of [path, control]) rmSync(left, { force: true })
        },
      }
    } catch (error) {
      reason = `no socket can be made (${codeOf(error)})`
    }
  }
  const detail = `${reason}: "otpmint doctor" sees its own settings, not those of this server`
  log.warn('control_unavailable', { path: control, detail })
  return { close: async () => {} }
}

/** Makes the server of the data directory pause its sending; false when none runs or answers. */
export async function pauseSending(dataDir: string, seconds: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://otpmint${pausePath}?seconds=${seconds}`, {
      unix: socketPath(dataDirectory(dataDir)),
      method: 'POST',
      signal: AbortSignal.timeout(askTimeoutMs),
      redirect: 'manual',
    })
    return answer.ok
  } catch {
    return false
  }
}

/** Asks the server of the data directory; null when none runs or answers. */
export async function askServer(dataDir: string): Promise<ServerReport | null> {
  try {
    const unix = socketPath(dataDirectory(dataDir))
    const answer = await fetch('http://otpmint/', {
      unix,
      signal: AbortSignal.timeout(askTimeoutMs),
      redirect: 'manual',
    })
    if (!answer.ok) return null
    const said = (await answer.json()) as Partial<ServerReport> | null
    if (typeof said?.settings !== 'object' || !Array.isArray(said.findings)) return null
    const { settings, findings, dashboardUrl = null } = said
    return { settings, findings, dashboardUrl }
  } catch {
    return null
  }
}

const askTimeoutMs = 3_000

function socketPath({ control }: DataDirectory): string {
  if (lstatSync(control).isSocket()) return control
  return readFileSync(control, 'utf8').trim()
}

/** Servers of several data directories may share one $RUNTIME_DIRECTORY. */
function socketName({ root }: DataDirectory): string {
  return `control-${new Bun.CryptoHasher('sha256').update(root).digest('hex').slice(0, 12)}.sock`
}

function listen(path: string, { report, pause }: ControlOptions) {
  return Bun.serve({
    unix: path,
    development: false,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url)
      if (request.method === 'POST' && pathname === pausePath) {
        const seconds = Number(searchParams.get('seconds'))
        if (!(seconds >= 0 && seconds <= pauseMax)) return new Response(null, { status: 422 })
        pause(seconds)
        return new Response(null, { status: 204 })
      }
      if (request.method !== 'GET') return new Response(null, { status: 405 })
      return Response.json(await report(), { headers: { 'cache-control': 'no-store' } })
    },
    error: () => new Response(null, { status: 500 }),
  })
}
