import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { eventually } from '../support/executable.ts'

// Installs the packages and builds the executable.
setDefaultTimeout(120_000)

const project = join(import.meta.dir, '../..')
const copy = mkdtempSync(join(tmpdir(), 'otpmint-build-'))
afterAll(() => rmSync(copy, { recursive: true }))

/** Copies the files that a clone of this working tree would have. */
function copyProject(): void {
  const list = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const { stdout } = Bun.spawnSync(list, { cwd: project })
  for (const file of stdout.toString().split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    // A file that was deleted and not committed is in the list too.
    if (Bun.file(join(project, file)).size > 0) cpSync(join(project, file), join(copy, file))
  }
}

test('a clean copy is built and started by the commands of the README', async () => {
  copyProject()
  const readme = readFileSync(join(project, 'README.md'), 'utf8')
  const [, quick] = /^```sh\n(scripts\/start)\n```$/m.exec(readme) ?? []
  const { PATH = '', HOME = '' } = process.env
  const server = Bun.spawn(['sh', '-c', `exec ${quick} --port 0`], {
    cwd: copy,
    env: { PATH, HOME, OTPMINT_METRICS_LISTEN: 'off', OTPMINT_DASHBOARD_LISTEN: 'off' },
    stdout: 'ignore',
    stderr: Bun.file(join(copy, 'said')),
  })
  const said = () => readFileSync(join(copy, 'said'), 'utf8')
  try {
    await eventually(() => said().includes('Ctrl-C') || server.exitCode !== null, 90_000)
    const [, url] = /OtpMint runs at (\S+)/.exec(said()) ?? []
    expect(url, said()).toBeString()
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  } finally {
    server.kill('SIGTERM')
    expect(await server.exited).toBe(0)
  }

  // "Run it for real" makes the same file, with the script that `scripts/start` calls.
  expect(readme).toMatch(/^scripts\/build +# makes dist\/otpmint, one file$/m)
  const { stdout } = Bun.spawnSync([join(copy, 'dist/otpmint'), 'version'])
  const { version } = await Bun.file(join(project, 'package.json')).json()
  expect(stdout.toString()).toStartWith(`otpmint ${version} `)
})
