import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { arch, tmpdir } from 'node:os'
import { join } from 'node:path'

// Building, emulating and starting many processes takes longer than other tests do.
setDefaultTimeout(120_000)

const project = join(import.meta.dir, '../..')
const dist = join(project, 'dist')
const directory = mkdtempSync(join(tmpdir(), 'otpmint-release-'))
afterAll(() => rmSync(directory, { recursive: true }))

beforeAll(() => {
  const { exitCode } = Bun.spawnSync(['bun', join(project, 'scripts/build.ts'), '--all'])
  expect(exitCode).toBe(0)
})

const emulators: Record<string, string[]> = {
  x64: ['qemu-x86_64-static', '-L', '/usr/x86_64-linux-gnu'],
  arm64: ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'],
}
const architectures = [arch(), ...(arch() === 'x64' ? ['arm64'] : [])]

function start(architecture: string, ...args: string[]) {
  const emulator = architecture === arch() ? [] : (emulators[architecture] ?? [])
  return Bun.spawn([...emulator, join(dist, `otpmint-linux-${architecture}`), ...args], {
    cwd: directory,
    env: {
      OTPMINT_PORT: '0',
      OTPMINT_METRICS_LISTEN: '127.0.0.1:0',
      OTPMINT_DASHBOARD_LISTEN: 'off',
      OTPMINT_DATA_DIR: join(directory, `data-${architecture}`),
      // Asks for the embedded argon2, the one native part beside the runtime.
      OTPMINT_MASTER_KEY: 'passphrase:correct horse battery staple',
      BUN_TMPDIR: directory,
      // What the package's own loader would load in its place.
      NAPI_RS_NATIVE_LIBRARY_PATH: join(directory, 'intruder.node'),
    },
    stdout: 'pipe',
    stderr: 'pipe',
  })
}

test.each(architectures)('the %s executable prints its version', async (architecture) => {
  const { version } = await Bun.file(join(project, 'package.json')).json()

  expect(await start(architecture, 'version').stdout.text()).toStartWith(`otpmint ${version} `)
})

test.each(architectures)('the %s executable answers requests', async (architecture) => {
  const server = start(architecture, 'serve')

  try {
    const url = await listening(server.stdout)
    const { status } = await fetch(new URL('/healthz', url))

    expect(status).toBe(200)
    const files = [...new Bun.Glob('.bun-*.node').scanSync({ cwd: directory, dot: true })]
    expect(files.length).toBeGreaterThan(0)
  } finally {
    server.kill('SIGTERM')
  }
  expect(await server.exited).toBe(0)
  for (const file of new Bun.Glob('.bun-*').scanSync({ cwd: directory, dot: true })) {
    rmSync(join(directory, file))
  }
})

test('SHA256SUMS has the sums of the executables', async () => {
  const { exitCode, stdout } = Bun.spawnSync(['sha256sum', '--check', 'SHA256SUMS'], { cwd: dist })

  expect(stdout.toString()).toBe('otpmint-linux-x64: OK\notpmint-linux-arm64: OK\n')
  expect(exitCode).toBe(0)
})

test('files in the working directory do not change what the executable does', async () => {
  await Bun.write(join(directory, 'bunfig.toml'), 'preload = ["./intruder.ts"]\n')
  await Bun.write(join(directory, '.env'), 'OTPMINT_LOG_LEVEL=nonsense\n')
  await Bun.write(join(directory, 'intruder.ts'), 'console.log("intruder")\n')

  const child = start(arch(), 'version')

  expect(await child.stdout.text()).toMatch(/^otpmint \S+ \(bun \S+\)\n$/)
  expect(await child.exited).toBe(0)
})

test('releases for other machines have the same Bun and argon2 as this one', async () => {
  const read = (file: string) => Bun.file(join(project, file)).text()
  const [own, targets] = await Promise.all([read('bun.lock'), read('scripts/targets/bun.lock')])
  const locked = targets.match(/^ {4}"@\S+": \[.*$/gm) ?? []

  expect(locked).toHaveLength(4)
  for (const line of locked) {
    if (line.includes('/argon2-')) expect(own).toContain(line)
    else expect(line).toContain(`@${Bun.version}"`)
  }
})

/** The address in the log line that says where the server listens; reads on to the end. */
function listening(stdout: ReadableStream<Uint8Array>): Promise<string> {
  return new Promise((resolve, reject) => {
    const decoder = new TextDecoder()
    let text = ''
    const read = async () => {
      for await (const chunk of stdout) {
        text += decoder.decode(chunk, { stream: true })
        const line = text.split('\n').find((line) => /"listening".*\}$/.test(line))
        if (line) resolve(JSON.parse(line).url)
      }
      reject(new Error(`never listened: ${text}`))
    }
    read().catch(reject)
  })
}
