import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Environment, finished, type Ran, run } from '../support/executable.ts'

const here = import.meta.dir

/** The npm packages of this folder: TypeScript 5 and the generators that need it. */
export const npmPackages = join(here, 'node_modules')

/** The programs of npm packages, which run on the Bun that runs the tests. */
export const npmPrograms = {
  tsc: 'typescript/lib/tsc.js',
  openapiTypescript: 'openapi-typescript/bin/cli.js',
  heyApi: '@hey-api/openapi-ts/dist/run.mjs',
} as const

/** Installs the npm packages of this folder as its bun.lock has them. */
export async function installNpmPackages(): Promise<void> {
  const install = [process.execPath, 'install', '--frozen-lockfile']
  succeeded(install, await finished(install, environment(), { cwd: here }))
}

export async function npmProgram(
  program: keyof typeof npmPrograms,
  args: string[],
  cwd: string,
): Promise<Ran> {
  const file = join(npmPackages, npmPrograms[program])
  return finished([process.execPath, file, ...args], environment(), { cwd })
}

/**
 * A virtual environment with requirements.txt, made on first use; answers its folder. It lies
 * outside the repository and is named after what is in it, so that every later run finds it ready.
 */
export async function pythonTools(): Promise<string> {
  const requirements = join(here, 'requirements.txt')
  const python = await finished(['python3', '--version'], environment()).catch(() => null)
  if (python?.exitCode !== 0) {
    throw new Error('python3 is missing: install the Debian packages python3 and python3-venv')
  }
  const hash = Bun.hash(python.stdout + readFileSync(requirements, 'utf8')).toString(16)
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'otpmint')
  const folder = join(cache, `clients-${hash}`)
  if (existsSync(folder)) return folder

  // Renamed when complete: a run that was stopped, or one beside this one, leaves nothing half.
  const draft = `${folder}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  try {
    const make = ['python3', '-m', 'venv', draft]
    const made = await finished(make, environment())
    if (made.exitCode !== 0) {
      const words = `${made.stdout}${made.stderr}`
      throw new Error(`no virtual environment; is Debian's python3-venv installed?\n${words}`)
    }
    const pip = [join(draft, 'bin/python'), '-m', 'pip', 'install', '--quiet', '-r', requirements]
    succeeded(pip, await finished(pip, environment({ PIP_DISABLE_PIP_VERSION_CHECK: '1' })))
    if (!existsSync(folder)) renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

/**
 * Runs Python with the tools' packages; by module, for their scripts still name the draft.
 * `through` is what it runs in, such as `nsenter`.
 */
export async function python(args: string[], cwd: string, through: string[] = []): Promise<Ran> {
  const bin = join(await pythonTools(), 'bin')
  const env = environment({ PATH: `${bin}:${process.env['PATH'] ?? ''}` })
  return finished([...through, join(bin, 'python'), ...args], env, { cwd })
}

/** The document, as the executable prints it. */
export async function openApiText(): Promise<string> {
  const { exitCode, stdout, stderr } = await run(['openapi'], {})
  if (exitCode !== 0) throw new Error(`otpmint openapi: ${stderr}`)
  return stdout
}

/** What a program said, where it did not end well. */
export function succeeded(command: string[], { exitCode, stdout, stderr }: Ran): void {
  if (exitCode === 0) return
  throw new Error(`${command.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`)
}

/** As it is outside, for this machine says there where packages come from; but without colours. */
function environment(more: Environment = {}): Environment {
  // Python's rich takes any FORCE_COLOR, "0" too, for a terminal to draw on.
  const { FORCE_COLOR: _, ...outside } = process.env as Environment
  return { ...outside, NO_COLOR: '1', ...more }
}
