import { cpSync, lstatSync, readFileSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import {
  type Environment,
  executable,
  finished,
  run,
  type Server,
  start,
} from '../support/executable.ts'
import { inTurn } from './live.ts'
import { spread } from './replay.ts'

/** Calls that change names or sync: the process is killed at each of them. */
const turns = [
  ...['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat'],
  ...['fsync', 'fdatasync'],
]
/** Calls that change contents: the process is killed at some of them. */
const writes = ['ftruncate', 'copy_file_range', 'write', 'pwrite64']

/** The process is killed just before its `number`-th call of this name. */
export type Kill = { call: string; number: number }

/**
 * Counts the calls of a command in a copy of the folder. Returns a kill for each call that changes
 * names or syncs, and this number of kills for each kind of write.
 */
export async function killsOf(
  template: string,
  folder: string,
  command: string[],
  writesMax: number,
): Promise<Kill[]> {
  copyOf(template, folder)
  const trace = `${folder}.calls`
  await through(['-o', trace, '-e', `trace=${[...turns, ...writes].join()}`], folder, command)
  const counts = new Map<string, number>()
  // strace counts the calls of each thread separately.
  const byThread = new Map<string, number>()
  for (const line of readFileSync(trace, 'latin1').split('\n')) {
    const [, thread = '', call = ''] = /^(\d+) +(\w+)\(/.exec(line) ?? []
    if (call === '') continue
    const number = (byThread.get(`${thread} ${call}`) ?? 0) + 1
    byThread.set(`${thread} ${call}`, number)
    counts.set(call, Math.max(number, counts.get(call) ?? 0))
  }
  rmSync(folder, { recursive: true })
  return [...counts].flatMap(([call, count]) => {
    const numbers = Array.from({ length: count }, (_, index) => index + 1)
    return spread(numbers, writes.includes(call) ? writesMax : count).map((number) => ({
      call,
      number,
    }))
  })
}

/** Copies a folder without its sockets, which cannot be copied. */
function copyOf(folder: string, copy: string): void {
  cpSync(folder, copy, { recursive: true, filter: (path) => !lstatSync(path).isSocket() })
}

export type Matrix = {
  /** The faults that were found, each with its kill. */
  breaches: string[]
  /** The number of kills that happened; a run may make fewer calls than were counted. */
  killed: number
}

export type Place = {
  template: string
  folder: string
  command: string[]
  /** Called after every second kill, during which a server runs beside the command. */
  beside?: (server: Server) => Promise<string[]>
}

/** Runs the command with each kill in a copy of the template; `look` returns the faults there. */
export async function killAtEach(
  kills: Kill[],
  { template, folder, command, beside }: Place,
  look: (folder: string) => Promise<string[]>,
): Promise<Matrix> {
  let killed = 0
  const breaches = await inTurn(kills, folder, async ({ call, number }, worker) => {
    const copy = join(worker, `${call}-${number}`)
    copyOf(template, copy)
    const inject = `inject=${call}:signal=SIGKILL:when=${number}`
    const flags = ['-o', '/dev/null', '-e', `trace=${call}`, '-e', inject]
    const isServed = beside !== undefined && number % 2 === 0
    const server = isServed ? await start(['serve'], environmentOf(copy)) : null
    if (await through(flags, copy, command)) killed++
    const said = server && beside ? await beside(server) : []
    await server?.kill()
    said.push(...(await look(copy)))
    rmSync(copy, { recursive: true })
    return said.map((what) => `killed before ${call} ${number}: ${what}`)
  })
  return { breaches, killed }
}

/**
 * Runs a command until it ends, listens or is killed; true if it was killed. Does not use
 * `--seccomp-bpf`, with which strace 6.1 sends no signal.
 */
async function through(flags: string[], folder: string, command: string[]): Promise<boolean> {
  const strace = ['strace', '-D', '-f', '-qq', '-e', 'signal=none', ...flags]
  const env = environmentOf(folder)
  if (command[0] === 'serve') {
    const server = await start(command, env, { through: strace }).catch(() => null)
    await server?.kill()
    return server === null
  }
  const path = process.env['PATH'] ?? ''
  const line = [...strace, executable(), ...inside(folder, command)]
  const { exitCode } = await finished(line, { PATH: path, ...env })
  return exitCode === 128 + constants.signals.SIGKILL
}

/** Replaces `{}` in a command by its folder. */
export function inside(folder: string, command: string[]): string[] {
  return command.map((word) => word.replace('{}', folder))
}

export function environmentOf(folder: string): Environment {
  return { OTPMINT_DATA_DIR: join(folder, 'data'), OTPMINT_ATTEMPTS_MAX: '5' }
}

/** Runs the command again, as the admin would; returns a sentence if it fails. */
export async function again(folder: string, command: string[]): Promise<string[]> {
  const { exitCode, stderr } = await run(inside(folder, command), environmentOf(folder))
  return exitCode === 0 ? [] : [`run again it ends with ${exitCode}: ${stderr.trim()}`]
}

/** Starts a server on a copy of the folder, so that the folder is not changed. */
export async function serving<Result>(
  folder: string,
  look: (server: Server, dataDir: string) => Promise<Result>,
): Promise<Result> {
  const copy = `${folder}-served`
  copyOf(folder, copy)
  try {
    const server = await start(['serve'], environmentOf(copy))
    try {
      return await look(server, join(copy, 'data'))
    } finally {
      await server.kill()
    }
  } finally {
    rmSync(copy, { recursive: true })
  }
}
