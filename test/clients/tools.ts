import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Environment, finished, type Ran, run } from '../support/executable.ts'
import { cachedTool, succeeded } from '../support/tool-cache.ts'

const here = import.meta.dir

/** The folder of the npm packages: TypeScript 5 and the generators that need it. */
export const npmPackages = join(here, 'node_modules')

/** Runs a program of an npm package with the Bun that runs the tests. */
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
 * The folder of a Python virtual environment with requirements.txt, which is made on first use and
 * named by a hash of its contents.
 */
export async function pythonTools(): Promise<string> {
  const requirements = join(here, 'requirements.txt')
  const python = await finished(['python3', '--version'], environment()).catch(() => null)
  if (python?.exitCode !== 0) {
    throw new Error('python3 is missing: install the Debian packages python3 and python3-venv')
  }
  const hash = Bun.hash(python.stdout + readFileSync(requirements, 'utf8')).toString(16)
  return cachedTool(`clients-${hash}`, async (draft) => {
    const make = ['python3', '-m', 'venv', draft]
    const made = await finished(make, environment())
    if (made.exitCode !== 0) {
      const words = `${made.stdout}${made.stderr}`
      throw new Error(`no virtual environment; is Debian's python3-venv installed?\n${words}`)
    }
    const pip = [join(draft, 'bin/python'), '-m', 'pip', 'install', '--quiet', '-r', requirements]
    succeeded(pip, await finished(pip, environment({ PIP_DISABLE_PIP_VERSION_CHECK: '1' })))
  })
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

/** The OpenAPI document, as the executable prints it. */
export async function openApiText(): Promise<string> {
  const { exitCode, stdout, stderr } = await run(['openapi'], {})
  if (exitCode !== 0) throw new Error(`otpmint openapi: ${stderr}`)
  return stdout
}

/** The environment of the tests, which names the package sources, but without colours. */
function environment(more: Environment = {}): Environment {
  // Python's rich treats any FORCE_COLOR, even "0", as a terminal.
  const { FORCE_COLOR: _, ...outside } = process.env as Environment
  return { ...outside, NO_COLOR: '1', ...more }
}
