import { expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blank } from './support/blank.ts'
import { breaches } from './support/tidy.ts'

setDefaultTimeout(60_000)

const root = join(import.meta.dir, '..')

test('the whole repository follows the code rules', async () => {
  const command = ['git', 'ls-files', '-z', '-co', '--exclude-standard']
  const listed = Bun.spawnSync(command, { cwd: root }).stdout.toString()
  const sources = []
  for (const path of new Set(listed.split('\0').filter(Boolean))) {
    const file = Bun.file(join(root, path))
    if (await file.exists()) sources.push({ path, text: await file.text() })
  }

  expect(sources.length).toBeGreaterThan(20)
  expect(breaches(sources)).toEqual([])
})

// Each rule with the smallest file that violates it.
test.each([
  ['domain may not import store', 'domain/a.ts', "import './../store/b.ts'"],
  ['domain may not import log', 'domain/a.ts', "import type { L } from '../log.ts'"],
  ['domain imports nothing, and not node:fs', 'domain/a.ts', "import 'node:fs'"],
  ['messages may not import channels', 'messages/a.ts', "import '../channels/b.ts'"],
  ['http may not import store', 'http/a.ts', "export { b } from '../store/sqlite/b.ts'"],
  ['http may not import jobs', 'http/a.ts', "const b = await import('../jobs/b.ts')"],
  ['keys may not import config', 'keys/a.ts', "import { b } from '../config/b.ts'"],
  ['jobs may not import runtime', 'jobs/a.ts', "import { b } from '../runtime.ts'"],
  ['cli may not import store', 'cli/a.ts', "import { b } from '../store/b.ts'"],
  ['types only from the server', 'dashboard/a.ts', "import { a } from '../present.ts'"],
  ['dashboard may not import domain', 'dashboard/a.ts', "import type { A } from '../domain/a.ts'"],
  ['preact is not for http', 'http/a.ts', "import { h } from 'preact'"],
  ['runtime may not import cli', 'runtime.ts', "import { b } from './cli/b.ts'"],
  ['main may not import store', 'main.ts', "import { b } from './store/b.ts'"],
  ['log may not import config', 'log.ts', "import { b } from './config/b.ts'"],
  ['elysia is not for cli', 'cli/a.ts', "import { Elysia } from 'elysia'"],
  ['swagger-ui-dist is not for cli', 'cli/a.ts', "import 'swagger-ui-dist/swagger-ui.css'"],
  ['bun:sqlite is not for keys', 'keys/a.ts', "import { Database } from 'bun:sqlite'"],
  ['@node-rs/argon2 is not for http', 'http/a.ts', "await import('@node-rs/argon2')"],
  ['left-pad is not among the packages', 'http/a.ts', "import pad from 'left-pad'"],
  ['node:process is not among the packages', 'cli/a.ts', "import 'node:process'"],
  ['lies outside src/', 'http/a.ts', "import { b } from '../../test/b.ts'"],
  ['time comes from Clock', 'domain/a.ts', 'new Date( )'],
  ['waiting comes from Timers', 'jobs/a.ts', 'setTimeout(f, 1)'],
  ['waiting comes from Timers', 'store/a.ts', 'await Bun.sleep(1)'],
  ['randomness comes from Random', 'keys/a.ts', 'Math.random()'],
  ['the environment is read by', 'http/a.ts', 'Bun.env.HOME'],
  ['only main.ts touches process', 'config/load.ts', 'process.cwd()'],
  ['no class but errors', 'http/a.ts', 'const a = class { b = 1 }'],
  ['do it now', 'http/a.ts', `x() // ${'TO'}DO: later`],
  ['no registry is named', 'a.lock', `"https://registry.${'npm'}js.org/a"`],
])('a violation is found: %s (%s)', (rule, path, text) => {
  expect(breaches([{ path: `src/${path}`, text }]).join('\n')).toContain(rule)
})

test('argon2 is imported by one file only, and a file that is never imported is found', () => {
  const text = "import { hash } from '@node-rs/argon2'"
  const main = { path: 'src/main.ts', text: "import { a } from './cli/a.ts'" }
  const reached = { path: 'src/cli/a.ts', text: "import type { Io } from './a.ts'" }

  expect(breaches([main, reached, { path: 'src/channels/worker.ts', text: '' }])).toEqual([])
  expect(breaches([main, reached, { path: 'src/domain/a.ts', text: '' }])).toHaveLength(1)
  expect(breaches(['a', 'b'].map((name) => ({ path: `src/keys/${name}.ts`, text })))).toEqual([
    'src/keys/b.ts:1: argon2 is imported by one file only',
  ])
})

test('comments, strings and patterns are not taken for code, and the code after them is found', () => {
  const nested = ['`a ', '{`b ', '{c}`} d`'].join('$')
  const quiet = ['// Date.now()', "'process.exit'", '/[/"]process\\.x/', 'a.process.b', nested]
  for (const before of [...quiet, "/* ' */", "'\\''", '`\\``', 'a / b / c']) {
    const sources = (text: string) => [{ path: 'src/http/a.ts', text }]
    expect(breaches(sources(before))).toEqual([])
    expect(breaches(sources(`${before}\nMath.random()`))).toHaveLength(1)
    expect(blank(before)).toHaveLength(before.length)
  }
})

test.each([
  ['noExcessiveLinesPerFunction', `export function f() {\n${'  globalThis.a = 1\n'.repeat(71)}}`],
  ['noExcessiveLinesPerFile', 'globalThis.a = 1\n'.repeat(401)],
  ['noExplicitAny', 'export let a: any = 1'],
])('the linter refuses %s', async (rule, text) => {
  const project = await mkdtemp(join(tmpdir(), 'otpmint-tidy-'))
  await Bun.write(join(project, 'biome.json'), Bun.file(join(root, 'biome.json')))
  await Bun.write(join(project, 'src/a.ts'), `${text}\n`)
  const command = [join(root, 'node_modules/.bin/biome'), 'lint', '--reporter=github']
  const { exitCode, stdout } = Bun.spawnSync(command, { cwd: project })
  await rm(project, { recursive: true })
  expect([exitCode, stdout.toString()]).toEqual([1, expect.stringContaining(rule)])
})
