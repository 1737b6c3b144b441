import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withStoryStore } from './story-store.ts'

const root = join(import.meta.dir, '../..')
const startMs = 10_000

export type Environment = Record<string, string>

/** A server that listens: the compiled executable, in a process of its own. */
export type Server = {
  base: string
  pid: number
  /** Everything that it has written so far. */
  stdout(): string
  stderr(): string
  /** Sends SIGTERM; returns the exit code once the process has ended and its output is read. */
  stop(): Promise<number>
  /** Sends SIGKILL. */
  kill(): Promise<void>
  metricsUrl(): string
  dashboardUrl(): string
}

export type Ran = { exitCode: number; stdout: string; stderr: string }

let built: string | null = null
const living = new Set<Bun.Subprocess>()

/** Kills the processes that a failed test left running; for `afterEach`. */
export async function killAll(): Promise<void> {
  for (const child of living) child.kill('SIGKILL')
  await Promise.all([...living].map((child) => child.exited))
}

/** The path of dist/otpmint, which is built when it is missing or older than its sources. */
export function executable(): string {
  if (built) return built
  const path = join(root, 'dist/otpmint')
  const parts = ['src', 'package.json', 'bun.lock', 'scripts/build.ts'].map((part) => {
    return newest(join(root, part))
  })
  if (changedAt(path) < Math.max(...parts)) {
    const build = Bun.spawnSync([process.execPath, join(root, 'scripts/build.ts')], { cwd: root })
    if (!build.success) throw new Error(`the build failed: ${build.stdout}${build.stderr}`)
  }
  built = path
  return path
}

function newest(path: string): number {
  if (!statSync(path).isDirectory()) return changedAt(path)
  return Math.max(...readdirSync(path).map((name) => newest(join(path, name))))
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** Passes on nothing of the tests' environment but PATH. */
function clean(env: Environment): Environment {
  return { PATH: process.env['PATH'] ?? '', TMPDIR: tmpdir(), ...env }
}

/** A temporary folder for one test, and a function that removes it. */
export function scratch(): { folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'otpmint-e2e-'))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

type StartOptions = {
  cwd?: string
  /** A command that runs the executable with exec, such as `unshare --mount`. */
  through?: string[]
  /** Another build than dist/otpmint. */
  program?: string
  /** How long the start may take, where more than one is under way. */
  withinMs?: number
}

/** Starts `otpmint args` on a free port and waits for its `listening` line. */
export async function start(
  args: string[],
  env: Environment,
  { cwd, through = [], program = executable(), withinMs = startMs }: StartOptions = {},
): Promise<Server> {
  const child = Bun.spawn([...through, program, ...args], {
    env: clean({
      OTPMINT_PORT: '0',
      OTPMINT_METRICS_LISTEN: 'off',
      OTPMINT_DASHBOARD_LISTEN: '127.0.0.1:0',
      ...(await withStoryStore(env)),
    }),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    cwd: cwd ?? tmpdir(),
  })
  living.add(child)
  void child.exited.then(() => living.delete(child))
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  const lineOf = (event: string) => logLines(stdout.text()).find((line) => line.event === event)
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  await eventually(() => lineOf('listening') !== undefined || hasEnded(), withinMs)
  const base = lineOf('listening')?.url
  if (base === undefined) {
    child.kill('SIGKILL')
    await Promise.all([child.exited, stdout.done, stderr.done])
    throw new Error(`otpmint ${args.join(' ')} did not start:\n${stdout.text()}${stderr.text()}`)
  }
  const ended = async () => {
    const exitCode = await child.exited
    await Promise.all([stdout.done, stderr.done])
    return exitCode
  }
  return {
    base,
    pid: child.pid,
    stdout: stdout.text,
    stderr: stderr.text,
    stop: () => {
      child.kill('SIGTERM')
      return ended()
    },
    kill: async () => {
      child.kill('SIGKILL')
      await ended()
    },
    metricsUrl: () => lineOf('metrics_listening')?.url ?? '',
    dashboardUrl: () => lineOf('dashboard_listening')?.url ?? '',
  }
}

export type LogLine = { event: string; level: string; url?: string; detail?: string }

export function logLines(text: string): LogLine[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return whole.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine)
}

/** Runs an otpmint command to its end. */
export async function run(
  args: string[],
  env: Environment,
  { stdin = '', cwd }: { stdin?: string; cwd?: string } = {},
): Promise<Ran> {
  return finished([executable(), ...args], clean(await withStoryStore(env)), {
    stdin,
    cwd: cwd ?? tmpdir(),
  })
}

/** Runs any program to its end, with just this environment. */
export async function finished(
  command: string[],
  env: Environment = clean({}),
  { stdin = '', cwd = tmpdir() }: { stdin?: string; cwd?: string } = {},
): Promise<Ran> {
  const child = Bun.spawn(command, {
    env,
    cwd,
    stdin: Buffer.from(stdin),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { exitCode, stdout, stderr }
}

function collect(stream: ReadableStream<Uint8Array>): { text(): string; done: Promise<void> } {
  const decoder = new TextDecoder()
  let text = ''
  const read = async () => {
    for await (const chunk of stream) text += decoder.decode(chunk, { stream: true })
  }
  return { text: () => text, done: read() }
}

/** Repeats a check until it is true; throws, with the text of the check, when it takes too long. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<void> {
  const until = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`never within ${withinMs} ms: ${holds}`)
    await Bun.sleep(5)
  }
}
