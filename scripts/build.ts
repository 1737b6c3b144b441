/**
 * `bun run build` makes dist/otpmint for this machine; `bun run build --all` makes the released
 * executables and their SHA-256 sums. Bun and argon2 for other machines are pinned in
 * scripts/targets/bun.lock, so that npm checks their integrity.
 */
import { mkdir, rm, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import type { BunPlugin } from 'bun'
import { bundledFiles } from '../src/http/dashboard/bundle.ts'

type Target = { entry?: string; outfile: string; runtime: string; native: string }

const root = join(import.meta.dir, '..')
const dist = join(root, 'dist')
const targets = join(import.meta.dir, 'targets')
const released = { x64: '@oven/bun-linux-x64', arm64: '@oven/bun-linux-aarch64' } as const

// The code of each thread is an entry point too. Its path in the executable is relative to the
// common folder of the entry points: mail-thread.ts and inspect-thread.ts expect it below src/.
const main = 'src/main.ts'
const threads = ['src/channels/email/worker.ts', 'src/runtime/inspect-worker.ts']

const [mode = '--host', ...rest] = process.argv.slice(2)
process.exitCode = await run(mode)

async function run(mode: string): Promise<number> {
  if (mode === '--one') return buildHere(JSON.parse(rest[0] ?? '') as Target)
  if (mode === '--host') return buildAll([hostTarget()])
  // For bench/, which compares the released executable with other servers.
  if (mode === '--entry') {
    const [entry = '', outfile = ''] = rest
    return buildAll([{ ...hostTarget(), entry, outfile }])
  }
  if (mode === '--all') {
    const failed =
      installTargets() || (await buildAll([releaseTarget('x64'), releaseTarget('arm64')]))
    return failed || (await writeSums())
  }
  say(`unknown argument ${mode}; there is only --all`)
  return 2
}

function hostTarget(): Target {
  const libc = process.platform === 'linux' ? '-gnu' : ''
  return {
    outfile: join(dist, 'otpmint'),
    runtime: process.execPath,
    native: nativeFile(root, `${process.platform}-${process.arch}${libc}`),
  }
}

function releaseTarget(arch: keyof typeof released): Target {
  return {
    outfile: join(dist, `otpmint-linux-${arch}`),
    runtime: join(targets, 'node_modules', released[arch], 'bin/bun'),
    native: nativeFile(targets, `linux-${arch}-gnu`),
  }
}

function nativeFile(folder: string, triple: string): string {
  const find = createRequire(join(folder, 'package.json')).resolve
  return find(`@node-rs/argon2-${triple}/argon2.${triple}.node`)
}

function installTargets(): number {
  const { exitCode } = Bun.spawnSync(
    [process.execPath, 'install', '--frozen-lockfile', '--cpu=*', '--os=linux'],
    { cwd: targets, stdio: ['ignore', 'inherit', 'inherit'] },
  )
  return exitCode
}

// Each target has its own process: Bun reports failed bytecode on standard error only, and still
// succeeds (oven-sh/bun #15528), so this reads it.
async function buildAll(list: Target[]): Promise<number> {
  await mkdir(dist, { recursive: true })
  for (const target of list) {
    const { exitCode, stderr } = Bun.spawnSync(
      [process.execPath, import.meta.path, '--one', JSON.stringify(target)],
      { cwd: root, stdout: 'inherit', stderr: 'pipe' },
    )
    const text = stderr.toString()
    process.stderr.write(text)
    if (exitCode !== 0) return exitCode
    if (/bytecode/i.test(text)) return fail(`no bytecode in ${target.outfile}`)
    const { size } = await stat(target.outfile)
    say(`${target.outfile.slice(root.length + 1)}  ${(size / 1e6).toFixed(1)} MB`)
  }
  return 0
}

async function buildHere({ entry = main, outfile, runtime, native }: Target): Promise<number> {
  const entries = entry === main ? [main, ...threads] : [entry]
  const result = await Bun.build({
    entrypoints: entries.map((path) => join(root, path)),
    target: 'bun',
    format: 'esm',
    // Elysia reads names from the source of its handlers.
    minify: { whitespace: true, syntax: true, identifiers: false },
    sourcemap: 'linked',
    bytecode: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [oneNativeFile(native), await embeddedDashboard()],
    throw: false,
    compile: {
      outfile,
      executablePath: runtime,
      // Files in the working directory must not change what the executable does.
      autoloadDotenv: false,
      autoloadBunfig: false,
      execArgv: ['--max-http-header-size=8192'],
    },
  })
  for (const log of result.logs) say(String(log))
  // The executable contains its source maps.
  for (const name of [basename(outfile), 'worker.js', 'inspect-worker.js']) {
    await rm(join(dirname(outfile), `${name}.map`), { force: true })
  }
  return result.success ? 0 : 1
}

/**
 * Replaces argon2's loader, which searches for the library at run time and reads the environment.
 */
function oneNativeFile(native: string): BunPlugin {
  const name = '@node-rs/argon2'
  const filter = /^@node-rs\/argon2$/
  return {
    name: 'one-native-file',
    setup(build) {
      build.onResolve({ filter }, () => ({ path: name, namespace: name }))
      build.onLoad({ filter, namespace: name }, () => ({
        loader: 'js',
        contents: `module.exports = require(${JSON.stringify(native)})`,
      }))
    },
  }
}

/** Replaces the module that bundles the dashboard by one that has the result in it. */
async function embeddedDashboard(): Promise<BunPlugin> {
  const files = (await bundledFiles()).map((file) => {
    return { ...file, gzip: file.gzip.toBase64(), brotli: file.brotli.toBase64() }
  })
  const contents = `
const files = ${JSON.stringify(files)}
const bytes = (text) => Uint8Array.fromBase64(text)
export async function bundledFiles() {
  return files.map((file) => ({ ...file, gzip: bytes(file.gzip), brotli: bytes(file.brotli) }))
}`
  return {
    name: 'embedded-dashboard',
    setup(build) {
      build.onLoad({ filter: /http\/dashboard\/bundle\.ts$/ }, () => ({ loader: 'js', contents }))
    },
  }
}

async function writeSums(): Promise<number> {
  const lines: string[] = []
  for (const arch of Object.keys(released)) {
    const name = `otpmint-linux-${arch}`
    const bytes = await Bun.file(join(dist, name)).arrayBuffer()
    lines.push(`${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}  ${name}\n`)
  }
  await Bun.write(join(dist, 'SHA256SUMS'), lines.join(''))
  say(lines.join('').trimEnd())
  return 0
}

function fail(message: string): number {
  say(message)
  return 1
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
