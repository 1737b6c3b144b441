import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

const root = join(import.meta.dir, '..')
const built = join(root, 'dist/bench')

export type Executable = 'otpmint' | 'ungrouped-server' | 'ceiling-server'

const compiled = new Set<Executable>()

/** Compiles a server as scripts/build.ts compiles the released one, once in a run. */
export function compile(name: Executable): string {
  const outfile = join(built, name)
  if (compiled.has(name)) return outfile
  compiled.add(name)
  const entry = name === 'otpmint' ? 'src/main.ts' : `bench/${name}.ts`
  mkdirSync(built, { recursive: true })
  const build = ['scripts/build.ts', '--entry', entry, outfile]
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, ...build], { cwd: root })
  if (exitCode !== 0) throw new Error(`${entry} does not compile: ${stderr}`)
  return outfile
}

export type Served = {
  url: string
  pid: number
  /** From the start of the process until /readyz answered 200. */
  readyMs: number
  /** Resident memory, bytes. */
  residentBytes(): number
  /** Processor time so far, user and system. */
  cpuSeconds(): number
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** What stands in the way of load; everything else is as an operator gets it. */
const settings = {
  OTPMINT_METRICS_LISTEN: 'off',
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  // A run must not outlive the codes that were made for it.
  OTPMINT_CODE_TTL_SECONDS: '86400',
}

export function environment(dataDir: string): Record<string, string> {
  return { ...settings, OTPMINT_DATA_DIR: dataDir }
}

/** Starts an executable on a free port of loopback; its output goes to a file in `dataDir`. */
export async function serve(executable: string, dataDir: string): Promise<Served> {
  const port = await freePort()
  const output = openSync(join(dataDir, 'output.txt'), 'a')
  const isOtpmint = !executable.endsWith('-server')
  const begunAt = performance.now()
  const child = Bun.spawn([executable, ...(isOtpmint ? ['serve'] : [])], {
    env: { ...environment(dataDir), OTPMINT_PORT: String(port) },
    stdio: ['ignore', output, output],
  })
  process.on('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(readFileSync(join(dataDir, 'output.txt'), 'utf8'))
    await Bun.sleep(1)
  }
  return {
    url,
    pid: child.pid,
    readyMs: performance.now() - begunAt,
    residentBytes: () => statusKilobytes(child.pid, 'VmRSS') * 1024,
    cpuSeconds: () => cpuSeconds(child.pid),
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      await child.exited
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`)).ok
  } catch {
    return false
  }
}

function statusKilobytes(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const [, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(user) + Number(system)) / 100
}

/** Postfix's own test server: takes mail as fast as it comes and keeps nothing. */
export async function smtpSink(): Promise<{ port: number; stop(): void }> {
  const program = '/usr/sbin/smtp-sink'
  if (!existsSync(program)) throw new Error(`${program} is missing: apt-get install postfix`)
  const port = await freePort()
  // Postfix's programs do not stay root.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = Bun.spawn([program, ...user, `127.0.0.1:${port}`, '1000'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  process.on('exit', () => child.kill('SIGKILL'))
  return { port, stop: () => child.kill() }
}
