import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { executable, killAll, type Ran, scratch, start } from '../support/executable.ts'
import { installNpmPackages, npmPackages, npmProgram, openApiText, python } from './tools.ts'

// The first run on a machine gets the packages.
setDefaultTimeout(300_000)
executable()

const { folder, remove } = scratch()
const adminToken = `otpm_admin_${'clients0'.repeat(5)}`
const programs = join(import.meta.dir, 'programs')
const document = join(folder, 'openapi.json')
let openApi = ''

beforeAll(async () => {
  openApi = await openApiText()
  await Bun.write(document, openApi)
  await installNpmPackages()
})
afterEach(killAll)
afterAll(remove)

test('what openapi-typescript generates type-checks and works', async () => {
  const place = await typescriptProject('openapi-typescript')
  const generate = [document, '--output', join(place, 'schema.ts')]
  const generated = await npmProgram('openapiTypescript', generate, place)
  expect(generated).toMatchObject({ exitCode: 0 })

  expect(await npmProgram('tsc', ['--project', '.'], place)).toEqual(silence)
  expect(await answersOf((args) => bun(join(place, 'program.ts'), args))).toEqual(answers)
})

test('what @hey-api/openapi-ts generates type-checks and works', async () => {
  const place = await typescriptProject('hey-api')
  const generate = ['--input', document, '--output', join(place, 'client'), '--no-log-file']
  const generated = await npmProgram('heyApi', generate, place)
  expect(generated).toMatchObject({ exitCode: 0 })

  expect(await npmProgram('tsc', ['--project', '.'], place)).toEqual(silence)
  expect(await answersOf((args) => bun(join(place, 'program.ts'), args))).toEqual(answers)
})

test('what openapi-python-client generates type-checks and works', async () => {
  const place = join(folder, 'python')
  mkdirSync(place)
  const program = await Bun.file(join(programs, 'python_client.py')).text()
  await Bun.write(join(place, 'program.py'), withBodyNames(program))
  const output = ['--meta', 'none', '--output-path', join(place, 'otpmint_client')]
  const generate = ['generate', '--path', document, ...output, '--fail-on-warning']
  const generated = await python(['-m', 'openapi_python_client', ...generate], place)
  expect(generated).toMatchObject({ exitCode: 0 })

  const config = ['--config-file', join(import.meta.dir, 'mypy.ini')]
  const checked = await python(['-m', 'mypy', ...config, 'program.py', 'otpmint_client'], place)
  expect(checked, checked.stdout).toMatchObject({ exitCode: 0 })
  expect(await answersOf((args) => python(['program.py', ...args], place))).toEqual(answers)
})

const silence: Ran = { exitCode: 0, stdout: '', stderr: '' }

/** What each program prints: a start, a wrong code, the list, and a refusal. */
const answers = {
  ...{ status: 'pending', valid: false, listed: [true], next: null },
  ...{ code: 'invalid_request', field: 'to' },
}

/** Runs a program against a server of its own. */
async function answersOf(program: (args: string[]) => Promise<Ran>): Promise<unknown> {
  const dataDir = scratch()
  const server = await start(['serve'], {
    OTPMINT_DATA_DIR: dataDir.folder,
    OTPMINT_ADMIN_TOKEN: adminToken,
  })
  const { exitCode, stdout, stderr } = await program([server.base, adminToken])
  await server.stop()
  dataDir.remove()
  expect(exitCode, stderr).toBe(0)
  return JSON.parse(stdout)
}

async function bun(program: string, args: string[]): Promise<Ran> {
  const child = Bun.spawn([process.execPath, program, ...args], { stdout: 'pipe', stderr: 'pipe' })
  const stdout = await new Response(child.stdout).text()
  const stderr = await new Response(child.stderr).text()
  return { exitCode: await child.exited, stdout, stderr }
}

/** A folder with the program as a developer would write it, and the strictest usual settings. */
async function typescriptProject(name: string): Promise<string> {
  const place = join(folder, name)
  mkdirSync(place)
  symlinkSync(npmPackages, join(place, 'node_modules'))
  await Bun.write(join(place, 'program.ts'), Bun.file(join(programs, `${name}.ts.txt`)))
  const compilerOptions = {
    ...{ strict: true, noUncheckedIndexedAccess: true, noEmit: true, types: [] },
    ...{ target: 'es2022', lib: ['es2022', 'dom', 'dom.iterable'], module: 'esnext' },
    ...{ moduleResolution: 'bundler', moduleDetection: 'force', allowImportingTsExtensions: true },
  }
  await Bun.write(join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  return place
}

type Schema = {
  $ref?: string
  allOf?: Schema[]
  anyOf?: Schema[]
  properties?: Record<string, Schema>
}
type Operation = {
  operationId: string
  requestBody?: { content: Record<string, { schema: Schema }> }
}
type Document = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

/**
 * Python has to name the class of a body. That is the component where the document has one, and
 * else what the generator calls it, which is what the program says.
 */
function withBodyNames(program: string): string {
  const { paths, components } = JSON.parse(openApi) as Document
  const bodyOf = (operationId: string): Schema => {
    const operations = Object.values(paths).flatMap((path) => Object.values(path))
    const operation = operations.find((one) => one.operationId === operationId)
    return operation?.requestBody?.content['application/json']?.schema ?? {}
  }
  const componentOf = ({ $ref, allOf = [], anyOf = [] }: Schema): string | undefined =>
    $ref?.split('/').at(-1) ?? [...allOf, ...anyOf].map(componentOf).find(Boolean)
  const resolved = (schema: Schema) => components.schemas[componentOf(schema) ?? ''] ?? schema

  const created = bodyOf('createApp')
  const app = componentOf(created) ?? 'CreateAppBody'
  const policy = resolved(created).properties?.['policy'] ?? {}
  return program
    .replaceAll('CreateAppBodyPolicy', componentOf(policy) ?? `${app}Policy`)
    .replaceAll('CreateAppBody', app)
    .replaceAll(
      'CheckVerificationBody',
      componentOf(bodyOf('checkVerification')) ?? 'CheckVerificationBody',
    )
}
