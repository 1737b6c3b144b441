import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blank } from './support/blank.ts'
import { breaches } from './support/tidy.ts'

const root = join(import.meta.dir, '..')

test('the whole tree keeps the house rules', async () => {
  const listed = Bun.spawnSync(['git', 'ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
  })
  const paths = listed.stdout.toString().split('\0').filter(Boolean)
  const files = paths.map((path) => ({ path, file: Bun.file(join(root, path)) }))

  const sources = []
  for (const { path, file } of files) {
    if (await file.exists()) sources.push({ path, text: await file.text() })
  }

  expect(sources.length).toBeGreaterThan(20)
  expect(breaches(sources)).toEqual([])
})

// Each rule, and the smallest file that breaks it. What a rule must not mistake stands below.
const broken: [rule: string, path: string, text: string][] = [
  ['domain may not import store', 'src/domain/a.ts', "import './../store/b.ts'"],
  ['domain may not import log', 'src/domain/a.ts', "import type { L } from '../log.ts'"],
  ['domain imports nothing, and not node:fs', 'src/domain/a.ts', "import 'node:fs'"],
  ['http may not import store', 'src/http/a.ts', "export { b } from '../store/sqlite/b.ts'"],
  ['http may not import jobs', 'src/http/a.ts', "const b = await import('../jobs/b.ts')"],
  ['store may not import http', 'src/store/sqlite/a.ts', "import { b } from '../../http/b.ts'"],
  ['channels may not import keys', 'src/channels/a.ts', "import { b } from '../keys/b.ts'"],
  ['keys may not import log', 'src/keys/a.ts', "import { b } from '../log.ts'"],
  ['jobs may not import runtime', 'src/jobs/a.ts', "import { b } from '../runtime.ts'"],
  ['cli may not import store', 'src/cli/a.ts', "import { b } from '../store/b.ts'"],
  ['runtime may not import cli', 'src/runtime.ts', "import { b } from './cli/b.ts'"],
  ['main may not import store', 'src/main.ts', "import { b } from './store/b.ts'"],
  ['log may not import config', 'src/log.ts', "import { b } from './config/b.ts'"],
  ['elysia is not for cli', 'src/cli/a.ts', "import { Elysia } from 'elysia'"],
  ['@elysiajs/swagger is not for main', 'src/main.ts', "import '@elysiajs/swagger'"],
  ['swagger-ui-dist is not for cli', 'src/cli/a.ts', "import 'swagger-ui-dist/swagger-ui.css'"],
  ['nodemailer is not for jobs', 'src/jobs/a.ts', "import mail from 'nodemailer'"],
  ['bun:sqlite is not for keys', 'src/keys/a.ts', "import { Database } from 'bun:sqlite'"],
  ['@node-rs/argon2 is not for http', 'src/http/a.ts', "await import('@node-rs/argon2')"],
  ['ipaddr.js is not for store', 'src/store/a.ts', "import ip from 'ipaddr.js'"],
  ['left-pad is not among the packages', 'src/http/a.ts', "import pad from 'left-pad'"],
  ['names its file with the ending', 'src/http/a.ts', "import { b } from './b'"],
  ['lies outside src/', 'src/http/a.ts', "import { b } from '../../test/b.ts'"],
  ['at most 250 lines a file', 'src/domain/a.ts', 'x\n'.repeat(251)],
  ['at most 100 columns', 'src/domain/a.ts', 'x'.repeat(101)],
  ['at most 100 columns', 'test/a.test.ts', 'x'.repeat(101)],
  ['time comes from Clock', 'src/domain/a.ts', 'Date.now()'],
  ['time comes from Clock', 'src/domain/a.ts', 'new Date( )'],
  ['randomness comes from Random', 'src/keys/a.ts', 'Math.random()'],
  ['the environment is read by', 'src/http/a.ts', 'process.env'],
  ['the environment is read by', 'src/http/a.ts', 'Bun.env.HOME'],
  ['only main.ts touches process', 'src/cli/a.ts', 'process.exit(1)'],
  ['only main.ts touches process', 'src/config/load.ts', 'process.cwd()'],
  ['node:process is not among the packages', 'src/cli/a.ts', "import 'node:process'"],
  ['output goes through io or Log', 'src/cli/a.ts', 'console.log(1)'],
  ['no any', 'src/http/a.ts', 'let a: any = 1'],
  ['no any', 'src/http/a.ts', 'f(a as any)'],
  ['no any', 'src/http/a.ts', 'let a: Record<string, any>'],
  ['the compiler is not silenced', 'test/a.ts', '// @ts-ignore'],
  ['the compiler is not silenced', 'src/http/a.ts', '/* @ts-expect-error */'],
  ['do it now', 'src/http/a.ts', 'x() // TODO: later'],
  ['do it now', 'scripts/a.ts', '/* FIXME */'],
  ['exports have names', 'src/http/a.ts', 'export default 1'],
  ['no barrels', 'src/http/a.ts', "export * from './b.ts'"],
  ['no enums', 'src/http/a.ts', 'const enum A { B }'],
  ['no class but Problem', 'src/http/a.ts', 'export class A {}'],
  ['no class but Problem', 'src/http/a.ts', 'const a = class { b = 1 }'],
  ['a test runs or is deleted', 'test/a.test.ts', "test.skip('a', () => {})"],
  ['a test runs or is deleted', 'test/a.test.ts', "describe.only('a', () => {})"],
  ['no registry is named', 'bun.lock', `"https://registry.${'npm'}js.org/a"`],
  ['no registry is named', 'Dockerfile', `FROM ${'ghcr'}.io/a/b`],
]

test.each(broken)('a breach is seen: %s (%s)', (rule, path, text) => {
  expect(breaches([{ path, text }]).join('\n')).toContain(rule)
})

test('argon2 is imported by one file only', () => {
  const text = "import { hash } from '@node-rs/argon2'"

  expect(breaches([{ path: 'src/keys/a.ts', text }])).toEqual([])
  expect(breaches(['a', 'b'].map((name) => ({ path: `src/keys/${name}.ts`, text })))).toEqual([
    'src/keys/b.ts:1: argon2 is imported by one file only',
  ])
})

test('a source file that nothing leads to is seen', () => {
  const main = { path: 'src/main.ts', text: "import { a } from './cli/a.ts'" }
  const a = { path: 'src/cli/a.ts', text: "import type { Io } from './io.ts'" }
  const io = { path: 'src/cli/io.ts', text: '' }
  const lost = { path: 'src/domain/lost.ts', text: "import './gone.sql'" }

  expect(breaches([main, a, io])).toEqual([])
  expect(breaches([main, a, io, lost])).toEqual([
    'src/domain/lost.ts:1: nothing leads here from main.ts',
  ])
})

test('words in comments, strings and patterns are not mistaken for code', () => {
  const text = [
    "// console.log, Date.now and process.exit are banned: any class is, says 'it'",
    `const a = "console.log" + 'Math.random' + \`process.env \${f("x // TODO", { b: '}' })}\``,
    'const pattern = /[/"\'`]console\\.|process\\.env/',
    'const date = new Date(clock.now())',
    'const half = a / 2 // process.exit',
    'const anything = { any: 1, data: company }',
    "handle.process.next('new Date()')",
  ].join('\n')

  expect(breaches([{ path: 'src/http/a.ts', text }])).toEqual([])
})

test('code after a template, a pattern or a comment is still seen', () => {
  const nested = ['`a ', '{`b ', '{c}`} d`'].join('$')
  const before = [nested, '/[/]`/.test(a)', "/* ' */", "'\\''", '`\\``', 'a / b / c']

  for (const text of before) {
    expect(breaches([{ path: 'src/http/a.ts', text: `${text}; Math.random()` }])).toHaveLength(1)
    expect(blank(text).code).toHaveLength(text.length)
  }
})

test('the linter refuses a function of more than seventy lines', async () => {
  const project = await mkdtemp(join(tmpdir(), 'otpmint-tidy-'))
  await Bun.write(join(project, 'biome.json'), Bun.file(join(root, 'biome.json')))
  const lint = async (lines: number) => {
    const body = '  globalThis.a = 1\n'.repeat(lines)
    await Bun.write(join(project, 'src/a.ts'), `export function long() {\n${body}}\n`)
    const biome = join(root, 'node_modules/.bin/biome')
    return Bun.spawnSync([biome, 'lint', '--reporter=github'], { cwd: project })
  }

  expect((await lint(70)).exitCode).toBe(0)
  const { exitCode, stdout, stderr } = await lint(71)
  await rm(project, { recursive: true })
  expect(exitCode).toBe(1)
  expect(`${stdout}${stderr}`).toContain('noExcessiveLinesPerFunction')
})
