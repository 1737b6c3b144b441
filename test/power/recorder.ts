import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Environment,
  eventually,
  executable,
  finished,
  type Ran,
  type Server,
  start,
} from '../support/executable.ts'
import { mergeTraces, parseTrace, type TraceEvent, tracedCalls } from './trace.ts'

/** Runs the executable under strace, and records the calls of each process. */
export type Recorder = {
  root: string
  /** Starts a server; its `stop` and `kill` also read its trace. */
  serve(name: string, env: Environment): Promise<Server>
  run(name: string, args: string[], env: Environment): Promise<Ran>
  /** The events of all processes that have ended. */
  events(): TraceEvent[]
  stops(): Stop[]
}

/** The files after the end of each server. */
export type Stop = { process: string; files: Map<string, Uint8Array> }

/**
 * Creates a recorder of all files below `root`; traces are written to another folder. If the disk
 * is gone when a server ends, nothing is read from it, and unfinished calls count as not synced.
 */
export function createRecorder(
  root: string,
  traces: string,
  { diskIsGone = false }: { diskIsGone?: boolean } = {},
): Recorder {
  const recorded: TraceEvent[][] = []
  const stops: Stop[] = []
  const keep = async (name: string) => {
    const path = join(traces, `${name}.trace`)
    // strace may end a little later than the process that it traced.
    await eventually(() => isWhole(readFileSync(path, 'latin1')), 30_000)
    const { events, unfinished } = parseTrace(readFileSync(path, 'latin1'), root, name)
    const happened = unfinished.filter((event) => diskIsGone || hasHappened(root, event))
    recorded.push([...events.slice(0, -1), ...happened, ...events.slice(-1)])
  }
  const stopped = (process: string) => {
    if (!diskIsGone) stops.push({ process, files: filesBelow(root) })
  }
  return {
    root,
    async serve(name, env) {
      const server = await start(['serve'], env, { through: strace(traces, name) })
      return {
        ...server,
        async stop() {
          const code = await server.stop()
          await keep(name)
          stopped(name)
          return code
        },
        async kill() {
          await server.kill()
          await keep(name)
          stopped(name)
        },
      }
    },
    async run(name, args, env) {
      const path = process.env['PATH'] ?? ''
      const command = [...strace(traces, name), executable(), ...args]
      const ran = await finished(command, { PATH: path, ...env })
      await keep(name)
      return ran
    },
    events: () => mergeTraces(recorded),
    stops: () => stops,
  }
}

/** Uses `-D`, with which strace is the grandchild, so that signals reach the executable. */
function strace(traces: string, name: string): string[] {
  return [
    ...['strace', '-D', '-f', '--seccomp-bpf', '-y', '-xx', '-s', '200000', '-ttt', '-T'],
    ...['-e', 'signal=kill', '-o', join(traces, `${name}.trace`), '-e', `trace=${tracedCalls}`],
  ]
}

/** True if the trace has the end of the process of its first line. */
function isWhole(trace: string): boolean {
  const pid = /^\d+/.exec(trace)?.[0]
  return new RegExp(`^${pid} .*\\+\\+\\+ (exited|killed) .*\\n`, 'm').test(trace)
}

/**
 * Finds out from the files whether an interrupted call had its effect. An interrupted answer may
 * have reached the client, so it counts: what it says must hold from the beginning of the call.
 */
function hasHappened(root: string, event: TraceEvent): boolean {
  switch (event.kind) {
    case 'write': {
      const found = new Uint8Array(event.data.length)
      const file = openSync(join(root, event.path), 'r')
      readSync(file, found, 0, found.length, event.offset)
      closeSync(file)
      return Buffer.compare(found, event.data) === 0
    }
    case 'size':
      return Bun.file(join(root, event.path)).size === event.size
    case 'unlink':
    case 'rename':
      return !existsSync(join(root, event.kind === 'unlink' ? event.path : event.from))
    case 'link':
    case 'copy':
      return existsSync(join(root, event.to))
    case 'answer':
      return true
    default:
      return false
  }
}

/** Every file below a folder by its path in it, without SQLite's shared memory. */
export function filesBelow(root: string): Map<string, Uint8Array> {
  const names = readdirSync(root, { recursive: true, withFileTypes: true })
  const paths = names
    .filter((entry) => entry.isFile() && !entry.name.endsWith('-shm'))
    .map((entry) => join(entry.parentPath, entry.name))
  return new Map(paths.sort().map((path) => [path.slice(root.length + 1), readFileSync(path)]))
}
