import { afterAll, beforeAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readApiKey } from '../../src/domain/app/api-key.ts'
import { policyFieldList } from '../../src/domain/app/policy.ts'
import { smtpFieldList } from '../../src/domain/app/smtp-fields.ts'
import { mailServer, makeCertificate } from '../support/smtp.ts'
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

function withPassword() {
  return create('Acme', [...mail, ...from, '--smtp-password-file', '-'], { input: 'hunter2' })
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

test('every field of a policy and of a mail server has a flag with its sentence', async () => {
  for (const name of ['create', 'update']) {
    const { out } = await command(['app', name, '--help'])
    const words = out.replace(/\s+/g, ' ')
    for (const [, { wire, says }] of policyFieldList) {
      expect(out).toContain(`--${wire.replaceAll('_', '-')} `)
      expect(words).toContain(says)
    }
    for (const [, { wire }] of smtpFieldList) {
      expect(out).toContain(`--smtp-${wire.replaceAll('_', '-')}`)
    }
  }
})

test('a mail password is read from a file, from a pipe or from a prompt', async () => {
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
    expect(app.endpoints).toHaveLength(1)
    expect(app.endpoints[0].email).toMatchObject({ host: 'smtp.example.com', security: 'tls' })
    expect(app.endpoints[0].email.has_secret).toBe(true)
    expect(JSON.stringify(app)).not.toContain('hunter2')
  }
})

test('an authority is read from a file, and taken back by the word default', async () => {
  const { caFile, ca, remove } = makeCertificate()
  const flags = [...mail, ...from, '--smtp-no-login', '--smtp-ca-file']
  const app = await create('Own', [...flags, caFile])
  const wrong = await command(['app', 'create', 'Wrong', ...flags, import.meta.path, ...place.at])
  remove()

  expect(app.endpoints[0].email.ca).toBe(ca.trimEnd())
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--smtp-ca-file must be')])
  const back = ['endpoint', 'update', app.id, app.endpoints[0].id, '--smtp-ca-file', 'default']
  expect((await command([...back, ...place.at])).code).toBe(0)
  expect((await show(app.id)).endpoints[0].email.ca).toBeNull()
})

test('what OAuth needs is read from files, or asked for at a terminal', async () => {
  const file = (name: string, text: string) => {
    writeFileSync(join(place.path, name), text)
    return join(place.path, name)
  }
  const oauth = [...mail, ...from, '--smtp-auth', 'google', '--smtp-client-id', 'client-1']
  const secret = ['--smtp-client-secret-file', file('secret', 's3cret\n')]
  const token = ['--smtp-refresh-token-file', file('token', '1//token\n')]

  const read = await create('Read', [...oauth, ...secret, ...token])
  const asked = await command(['app', 'create', 'Asked', '--json', ...oauth, ...place.at], {
    isTerminal: true,
    secret: 's3cret',
  })
  const half = await command(['app', 'create', 'Half', ...oauth, ...secret, ...place.at])
  const twice = ['--smtp-client-secret-file', '-', '--smtp-refresh-token-file', '-']
  const both = await command(['app', 'create', 'Both', ...oauth, ...twice, ...place.at])

  for (const app of [read, JSON.parse(asked.out)]) {
    const shown = { auth: 'google', client_id: 'client-1', tenant: null, has_secret: true }
    expect(app.endpoints[0].email).toMatchObject(shown)
    expect(JSON.stringify(app)).not.toMatch(/s3cret|1\/\/token/)
  }
  expect(half).toMatchObject({ code: 2, err: expect.stringContaining('--smtp-refresh-token-file') })
  expect(both).toMatchObject({ code: 2, err: expect.stringContaining('only one file') })

  // A change asks for the secrets of the login that is stored.
  const [endpoint] = read.endpoints
  const move = ['endpoint', 'update', read.id, endpoint.id, '--smtp-host', 'smtp.example.net']
  expect((await command([...move, ...place.at])).err).toContain('needs its secret again')
  const moved = await command([...move, ...place.at], { isTerminal: true, secret: 's3cret' })
  expect(moved).toMatchObject({ code: 0, out: expect.stringContaining('google') })
})

test('a password that is missing is asked for by the name of its flag', async () => {
  const { code, err } = await command(['app', 'create', 'Acme', ...mail, ...from, ...place.at], {
    secret: 'nobody sits there',
  })

  expect(code).toBe(2)
  expect(err).toContain('--smtp-password-file is missing')
})

test('a password file that cannot be read is refused by the name of its flag', async () => {
  const file = ['--smtp-password-file', join(place.path, 'no-such-file')]
  const { code, err } = await command([
    ...['app', 'create', 'Acme', ...mail, ...from],
    ...[...file, ...place.at],
  ])

  expect([code, err]).toEqual([
    2,
    'otpmint app create: --smtp-password-file names a file that cannot be read\n',
  ])
})

test('every wrong flag is named at once and no value is repeated', async () => {
  const flags = ['--smtp-host', 'http://evil', '--smtp-port', 'evil', '--code-length', 'evil']

  const { code, err } = await command(['app', 'create', 'Acme', ...flags, ...place.at])

  expect(code).toBe(2)
  for (const name of ['--smtp-host', '--smtp-port', '--code-length']) expect(err).toContain(name)
  expect(err).not.toContain('evil')
})

test('an update changes what is given and leaves the rest', async () => {
  const flags = ['--code-length', '8', '--code-in-subject', 'no', '--starts-per-day', '1000']
  const { id } = await create('Before', flags)

  const update = ['--name', 'After', '--code-length', 'default', '--ttl-seconds', '300']
  const { code } = await command(['app', 'update', id, ...update, ...place.at])

  expect(code).toBe(0)
  const app = await show(id)
  expect(app.name).toBe('After')
  expect(app.policy).toEqual({ ttl_seconds: 300, code_in_subject: false, starts_per_day: 1000 })
})

test('an update with any mistake changes nothing and names all mistakes', async () => {
  const { id } = await withPassword()

  const flags = ['--name', 'After', '--smtp-port', '0', '--code-length', '99']
  const { code, err } = await command(['app', 'update', id, ...flags, ...place.at])

  expect(code).toBe(2)
  for (const name of ['--smtp-port', '--code-length']) expect(err).toContain(name)
  expect((await show(id)).name).toBe('Acme')
})

test('a password is not carried to another mail server', async () => {
  const { id } = await withPassword()

  const moved = ['--name', 'Moved', '--smtp-host', 'other.example.com']
  const refused = await command(['app', 'update', id, ...moved, ...place.at])
  const kept = await show(id)
  const asked = await command(['app', 'update', id, ...moved, ...place.at], {
    isTerminal: true,
    secret: 'hunter3',
  })

  expect(refused.code).toBe(1)
  expect(refused.err).toContain('needs its secret again')
  expect(kept.name).toBe('Acme')
  expect(asked.code).toBe(0)
})

test('app update adds the first mail server where there is none', async () => {
  const { id } = await create('Acme')
  const flags = ['--smtp-host', '127.0.0.1', '--smtp-port', '25', '--smtp-no-login', ...from]

  const { code } = await command(['app', 'update', id, ...flags, ...place.at])

  expect(code).toBe(0)
  const [endpoint] = (await show(id)).endpoints
  expect(endpoint.email).toMatchObject({ host: '127.0.0.1', security: 'opportunistic', user: null })
})

test("the sender's name and the number of connections can be unset", async () => {
  const flags = ['--smtp-from-name', 'Acme', '--smtp-connections-max', '3', '--smtp-no-login']
  const { id, endpoints } = await create('Acme', [...mail, ...from, ...flags])

  const update = ['--smtp-from-name', 'default', '--smtp-connections-max', 'default']
  await command(['app', 'update', id, ...update, ...place.at])

  expect(endpoints[0].email).toMatchObject({ from_name: 'Acme', connections_max: 3 })
  const [after] = (await show(id)).endpoints
  expect(after.email).toMatchObject({ from_name: null, connections_max: null })
})

test('several mail servers are added, put in order, changed and removed', async () => {
  const { id, endpoints } = await withPassword()
  const [first] = endpoints
  const other = ['--smtp-host', '127.0.0.1', '--smtp-port', '2525', '--smtp-no-login', ...from]

  const added = await command(['endpoint', 'add', id, ...other, '--json', ...place.at])
  const second = JSON.parse(added.out)
  const moved = await command(['endpoint', 'update', id, second.id, '--rank', '1', ...place.at])
  const listed = JSON.parse((await command(['endpoint', 'list', id, '--json', ...place.at])).out)
  const seen = await command(['endpoint', 'list', id, ...place.at], { isTerminal: true })
  const removed = await command(['endpoint', 'remove', id, first.id, ...place.at])
  const again = await command(['endpoint', 'remove', id, first.id, ...place.at])

  expect([added.code, moved.code, removed.code, again.code]).toEqual([0, 0, 0, 1])
  expect(second.rank).toBe(2)
  const ranked = listed.items.map((item: { id: string; rank: number }) => [item.id, item.rank])
  expect(ranked).toEqual([
    [second.id, 1],
    [first.id, 2],
  ])
  expect(seen.out).toMatch(/ID +CHANNEL +RANK +LEADS TO +LOGIN +SENDER/)
  expect((await show(id)).endpoints.map((item: { id: string }) => item.id)).toEqual([second.id])
})

test('the order of mail servers is set at once, and an app before a command is optional', async () => {
  const { id, endpoints } = await withPassword()
  const other = ['--smtp-host', '127.0.0.1', '--smtp-port', '2525', '--smtp-no-login', ...from]
  const add = async () => {
    const { out } = await command(['app', 'endpoint', 'add', id, ...other, '--json', ...place.at])
    return JSON.parse(out).id as string
  }
  const [first, second, third] = [endpoints[0].id as string, await add(), await add()]
  const order = (...ids: string[]) =>
    command(['app', 'endpoint', 'order', id, ...ids, '--json', ...place.at])
  const idsOf = (out: string) => JSON.parse(out).items.map((item: { id: string }) => item.id)

  expect(idsOf((await order(third, first)).out)).toEqual([third, first, second])
  expect(idsOf((await order(second, second)).out)).toEqual([second, third, first])
  const ranks = (await show(id)).endpoints.map((item: { rank: number }) => item.rank)
  expect(ranks).toEqual([1, 2, 3])
  expect((await order(first, 'x')).err).toBe('otpmint endpoint order: No such endpoint\n')
  expect((await order()).err).toContain('ENDPOINT_ID is missing')
  expect((await command(['app', 'key', 'generate'])).code).toBe(2)
})

test('a mail server is tested, with what it said, and nothing is sent unless that is asked', async () => {
  const server = await mailServer({ login: { user: 'codes', password: 'hunter2' } })
  const flags = ['--smtp-host', '127.0.0.1', '--smtp-port', String(server.port)]
  const login = ['--smtp-user', 'codes', '--smtp-password-file', '-', '--smtp-security', 'none']
  const { id, endpoints } = await create('Acme', [...flags, ...login, ...from], {
    input: 'hunter2',
  })
  const run = (...more: string[]) =>
    command(['endpoint', 'test', id, endpoints[0].id, ...more, ...place.at])

  const tested = await run()
  expect(tested.code).toBe(0)
  expect(tested.out).toMatch(/^ok +greeting +It greets: 220 /m)
  expect(tested.out).toMatch(/^ok +login +The login was accepted \(PLAIN\)\. It said: 235 /m)
  expect(server.arrived).toEqual([])
  const sent = JSON.parse((await run('--send-to', 'me@example.com', '--json')).out)
  expect(sent.status).toBe('sent')
  expect(sent.steps.at(-1)).toMatchObject({ name: 'message', ok: true })
  expect(JSON.stringify(sent)).not.toContain('me@example.com')
  expect(server.arrived.map(({ recipients }) => recipients)).toEqual([['me@example.com']])
  await server.close()

  const failed = await run()
  expect(failed.code).toBe(1)
  expect(failed.out).toMatch(/^failed +connect +Nothing listens/m)
  expect((await run('--send-to', 'a, b')).err).toContain('--send-to must be one e-mail address')
})

test('a mail server that lacks something is refused by the names of the flags', async () => {
  const { id } = await create('Acme')

  const { code, err } = await command(['endpoint', 'add', id, '--rank', '11', ...place.at])

  expect(code).toBe(2)
  for (const name of ['--smtp-host', '--smtp-port', '--smtp-from', '--rank']) {
    expect(err).toContain(`endpoint add: ${name} `)
  }
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
  const known = JSON.parse((await command(['app', 'list', '--json', ...place.at])).out).items
  for (let count = known.length; count < 102; count++) await create(`App ${count}`)

  const { out } = await command(['app', 'list', '--json', ...place.at])

  const ids = JSON.parse(out).items.map(({ id }: { id: string }) => id)
  expect(new Set(ids).size).toBe(102)
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
