import { mkdirSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

const root = join(import.meta.dir, '..')
const built = join(root, 'dist/bench')

const entries = {
  otpmint: 'src/main.ts',
  'bare-server': 'bench/bare-server.ts',
  'ungrouped-server': 'bench/ungrouped-server.ts',
}
export type Executable = keyof typeof entries

const compiled = new Set<Executable>()

/** Compiles a server as scripts/build.ts compiles the released one, once in a run. */
export function compile(name: Executable): string {
  const outfile = join(built, name)
  if (compiled.has(name)) return outfile
  compiled.add(name)
  mkdirSync(built, { recursive: true })
  const build = ['scripts/build.ts', '--entry', entries[name], outfile]
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, ...build], { cwd: root })
  if (exitCode !== 0) throw new Error(`${entries[name]} does not compile: ${stderr}`)
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

/** Settings without limits for load; all others are the defaults. */
const settings = {
  OTPMINT_METRICS_LISTEN: 'off',
  OTPMINT_DASHBOARD_LISTEN: 'off',
  OTPMINT_EGRESS_ALLOW: '127.0.0.1',
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  OTPMINT_LIMIT_APP_STARTS_PER_DAY: '1000000000',
  // Codes must be valid for a whole run.
  OTPMINT_CODE_TTL_SECONDS: '86400',
}

export function environment(dataDir: string): Record<string, string> {
  return { ...settings, OTPMINT_DATA_DIR: dataDir }
}

/**
 * Starts an executable on a free port of loopback, with further settings; its output goes to a file
 * in `dataDir`.
 */
export async function serve(
  name: Executable,
  dataDir: string,
  more: Record<string, string> = {},
): Promise<Served> {
  const executable = compile(name)
  const port = await freePort()
  const outputFile = join(dataDir, 'output.txt')
  const output = openSync(outputFile, 'a')
  const begunAt = performance.now()
  const child = Bun.spawn([executable, ...(name === 'otpmint' ? ['serve'] : [])], {
    env: { ...environment(dataDir), ...more, OTPMINT_PORT: String(port) },
    stdio: ['ignore', output, output],
  })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const url = `http://127.0.0.1:${port}`
  while (!(await isReady(url))) {
    if (child.exitCode !== null) throw new Error(readFileSync(outputFile, 'utf8'))
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
      process.off('exit', kill)
    },
  }
}

async function freePort(): Promise<number> {
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
