import { afterAll, beforeAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readApiKey } from '../../src/domain/api-key.ts'
import { command, installation } from './terminal.ts'

let place: Awaited<ReturnType<typeof installation>>
beforeAll(async () => {
  place = await installation()
})
afterAll(() => place.remove())

const mail = ['--smtp-host', 'smtp.example.com', '--smtp-port', '465']
const from = ['--smtp-from', 'codes@example.com']

async function create(name: string, flags: string[] = [], given = {}) {
  const done = await command(['app', 'create', name, '--json', ...flags, ...place.at], given)
  expect(done.err).toBe('')
  return JSON.parse(done.out)
}

async function show(id: string) {
  const { out } = await command(['app', 'show', id, '--json', ...place.at])
  return JSON.parse(out)
}

test('a new app shows its two keys once', async () => {
  const app = await create('Acme')

  const shown = await command(['app', 'show', app.id, ...place.at])

  expect(readApiKey(app.live_key)?.mode).toBe('live')
  expect(readApiKey(app.test_key)?.mode).toBe('test')
  expect(shown.out).toContain('Acme')
  expect(shown.out).not.toContain(app.live_key)
  expect(shown.out).toContain(app.live_key.slice(-4))
})

test('a mail password comes from a file, from a pipe or from a question', async () => {
  const file = join(place.path, 'password')
  writeFileSync(file, 'hunter2\n')
  const flags = [...mail, ...from]

  const fromFile = await create('File', [...flags, '--smtp-password-file', file])
  const fromPipe = await create('Pipe', [...flags, '--smtp-password-file', '-'], {
    input: 'hunter2',
  })
  const asked = await command(['app', 'create', 'Asked', '--json', ...flags, ...place.at], {
    isTerminal: true,
    secret: 'hunter2',
  })

  for (const app of [fromFile, fromPipe, JSON.parse(asked.out)]) {
    expect(app.email).toMatchObject({ host: 'smtp.example.com', security: 'tls' })
    expect(app.email.has_password).toBe(true)
    expect(JSON.stringify(app)).not.toContain('hunter2')
  }
})

test('a password that is missing is asked for by the name of its flag', async () => {
  const { code, err } = await command(['app', 'create', 'Acme', ...mail, ...from, ...place.at], {
    secret: 'nobody sits there',
  })

  expect(code).toBe(2)
  expect(err).toContain('--smtp-password-file is missing')
})

test('every wrong flag is named at once and no value is repeated', async () => {
  const flags = ['--smtp-host', 'http://evil', '--smtp-port', 'evil', '--code-length', 'evil']

  const { code, err } = await command(['app', 'create', 'Acme', ...flags, ...place.at])

  expect(code).toBe(2)
  for (const name of ['--smtp-host', '--smtp-port', '--code-length']) expect(err).toContain(name)
  expect(err).not.toContain('evil')
})

test('an update changes what is given and leaves the rest', async () => {
  const flags = ['--code-length', '8', '--code-in-subject', 'no']
  const { id } = await create('Before', flags)

  const update = ['--name', 'After', '--code-length', 'default', '--ttl-seconds', '300']
  const { code } = await command(['app', 'update', id, ...update, ...place.at])

  expect(code).toBe(0)
  const app = await show(id)
  expect(app.name).toBe('After')
  expect(app.policy).toEqual({ ttl_seconds: 300, code_in_subject: false })
})

test('a password is not carried to another mail server', async () => {
  const given = { input: 'hunter2' }
  const { id } = await create('Acme', [...mail, ...from, '--smtp-password-file', '-'], given)

  const moved = ['--smtp-host', 'other.example.com']
  const refused = await command(['app', 'update', id, ...moved, ...place.at])
  const asked = await command(['app', 'update', id, ...moved, ...place.at], {
    isTerminal: true,
    secret: 'hunter3',
  })

  expect(refused.code).toBe(1)
  expect(refused.err).toContain('password')
  expect(asked.code).toBe(0)
})

test('a mail server can be taken away', async () => {
  const given = { input: 'hunter2' }
  const { id } = await create('Acme', [...mail, ...from, '--smtp-password-file', '-'], given)

  await command(['app', 'update', id, '--smtp-remove', ...place.at])

  expect((await show(id)).email).toBe(null)
})

test('two keys of a mode may be active, a revoked one makes room', async () => {
  const { id, keys } = await create('Acme')
  const [first] = keys.filter((key: { mode: string }) => key.mode === 'live')

  const second = await command(['app', 'new-key', id, ...place.at])
  const third = await command(['app', 'new-key', id, ...place.at])
  const revoked = await command(['app', 'revoke-key', id, first.id, ...place.at])
  const fourth = await command(['app', 'new-key', id, '--json', ...place.at])

  expect([second.code, third.code, revoked.code, fourth.code]).toEqual([0, 1, 0, 0])
  expect(readApiKey(JSON.parse(fourth.out).key)?.mode).toBe('live')
})

test('a pipe gets one tab-separated line for each app, a terminal a table', async () => {
  const { id } = await create('Listed')

  const piped = await command(['app', 'list', ...place.at])
  const seen = await command(['app', 'list', ...place.at], { isTerminal: true })

  expect(piped.out.split('\n').find((line) => line.startsWith(id))).toStartWith(
    `${id}\tListed\t-\t`,
  )
  expect(seen.out).toMatch(/ID +NAME +MAIL SERVER +CREATED/)
})

test('more apps than a page holds are all listed', async () => {
  const known = JSON.parse((await command(['app', 'list', '--json', ...place.at])).out).length
  for (let count = known; count < 102; count++) await create(`App ${count}`)

  const { out } = await command(['app', 'list', '--json', ...place.at])

  expect(new Set(JSON.parse(out).map(({ id }: { id: string }) => id)).size).toBe(102)
})

test('a deleted app is gone, and an unknown one is a failure', async () => {
  const { id } = await create('Acme')

  const deleted = await command(['app', 'delete', id, '--yes', ...place.at])
  const again = await command(['app', 'delete', id, '--yes', ...place.at])
  const shown = await command(['app', 'show', id, ...place.at])

  expect([deleted.code, again.code, shown.code]).toEqual([0, 1, 1])
  expect(shown.err).toContain('No such app')
})

test('without a database a command says what to do', async () => {
  const { code, err } = await command(['app', 'list', '--data-dir', join(place.path, 'none')])

  expect(code).toBe(1)
  expect(err).toContain('start "otpmint serve" once')
})
