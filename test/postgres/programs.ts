import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../support/executable.ts'

export const bin = '/usr/lib/postgresql/15/bin'

/** Programs of a test server, in a folder of their own that belongs to user postgres. */
export type Programs = {
  folder: string
  /** Runs a command to its end, as user postgres; throws with what it wrote when it fails. */
  run(command: string[]): string
  /** Copies a file that only its owner may read into the folder. */
  copy(path: string, name: string): void
  /** Starts a command that stays in the foreground, as user postgres. */
  start(name: string, command: string[]): Program
  /** Kills what still runs and removes the folder. */
  stop(): Promise<void>
}

export type Program = {
  pid: number
  exited: Promise<number>
  /** What it has written so far. */
  output(): string
  signal(name: Signal): void
  /** Of its children, and theirs, too. */
  signalTree(name: Signal): void
}

type Signal = 'SIGTERM' | 'SIGQUIT' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGHUP'

export function programs(name: string, parent = tmpdir()): Programs {
  const folder = mkdtempSync(join(parent, `otpmint-${name}-`))
  if (isRoot) runToEnd(['chown', 'postgres', folder])
  const running: Program[] = []
  return {
    folder,
    run: (command) => runToEnd([...asPostgres, ...command]),
    copy(path, name) {
      copyFileSync(path, join(folder, name))
      chmodSync(join(folder, name), 0o600)
      if (isRoot) runToEnd(['chown', 'postgres', join(folder, name)])
    },
    start(label, command) {
      const log = join(folder, `${label}.log`)
      const to = openSync(log, 'a')
      const child = Bun.spawn([...asPostgres, ...command], {
        env: { PATH: `/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8' },
        stdin: 'ignore',
        stdout: to,
        stderr: to,
        cwd: folder,
      })
      const program: Program = {
        pid: child.pid,
        exited: child.exited,
        output: () => readFileSync(log, 'utf8'),
        signal: (signal) => child.kill(signal),
        signalTree: (signal) => {
          for (const pid of treeOf(child.pid)) process.kill(pid, signal)
        },
      }
      running.push(program)
      return program
    },
    async stop() {
      for (const { signal } of running) signal('SIGKILL')
      await Promise.all(running.map(({ exited }) => exited))
      // A process of PostgreSQL ends some time after its first one.
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A process and its children, and theirs. */
export function treeOf(pid: number): number[] {
  const children = childrenOf(pid).split(' ').filter(Boolean)
  return [pid, ...children.flatMap((child) => treeOf(Number(child)))]
}

/** Empty for a process that has ended, also in this moment. */
function childrenOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  } catch {
    return ''
  }
}

/** Waits until a program answers; throws with what it has written when it ends before. */
export async function answering(
  program: Program,
  answers: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  let exitCode: number | null = null
  void program.exited.then((code) => (exitCode = code))
  await eventually(async () => exitCode !== null || (await answers()), withinMs).catch(
    (error: unknown) => {
      throw new Error(`${error}\n${program.output()}`)
    },
  )
  if (exitCode !== null) throw new Error(`ended with ${exitCode}\n${program.output()}`)
}

export const isInstalled = existsSync(`${bin}/postgres`)

/** Ends a program with the tests' process, however that ends. */
const withParent = ['--pdeathsig=QUIT']
const isRoot = process.getuid?.() === 0

/** PostgreSQL, PgBouncer and Patroni refuse to run as root. */
const asPostgres = isRoot
  ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...withParent, '--']
  : ['setpriv', ...withParent, '--']

function runToEnd(command: string[]): string {
  const { exitCode, stderr, stdout } = Bun.spawnSync(command, { stdout: 'pipe', stderr: 'pipe' })
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`)
  return stdout.toString()
}
