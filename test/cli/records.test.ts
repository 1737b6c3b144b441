import { afterAll, beforeAll, expect, test } from 'bun:test'
import { command, installation, type Served, served } from './terminal.ts'

let place: Awaited<ReturnType<typeof installation>>
let server: Served
let app: { id: string; test_key: string; live_key: string }
let token: string

beforeAll(async () => {
  place = await installation()
  server = await served(place.at)
  token = (await Bun.file(`${place.dataDir}/admin.token`).text()).trim()
  app = JSON.parse((await command(['app', 'create', 'Acme', '--json', ...place.at])).out)
  for (const name of ['ada', 'bob', 'eve']) {
    await api('/v1/verifications', app.test_key, { to: `${name}@example.com` }, 'wait=5')
  }
})
afterAll(async () => {
  await server.stop()
  place.remove()
})

async function api(path: string, key: string, body?: object, prefer = '') {
  const answer = await fetch(server.url + path, {
    method: body ? 'POST' : 'GET',
    headers: {
      authorization: `Bearer ${key}`,
      ...(body && { 'content-type': 'application/json' }),
      ...(prefer && { prefer }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  return answer.json()
}

async function json(...argv: string[]) {
  const { code, out, err } = await command([...argv, '--json', ...place.at])
  expect([code, err]).toEqual([0, ''])
  return JSON.parse(out)
}

test('the commands print the same JSON as the API', async () => {
  const [id, key] = [app.id, app.test_key]

  expect(await json('app', 'show', id)).toEqual(await api(`/v1/apps/${id}`, token))
  expect(await json('app', 'list')).toEqual(await api('/v1/apps', token))
  expect(await json('verifications', id, '--mode', 'test')).toEqual(
    await api('/v1/verifications', key),
  )
  expect(await json('events')).toEqual(await api('/v1/events', token))
  const [told, counted] = [await api('/v1/stats', token), await json('stats')]
  expect(counted.items).toEqual((told as { items: unknown[] }).items)
  expect(Object.keys(counted)).toEqual(Object.keys(told as object))
  const [one] = (await json('verifications', id, '--mode', 'test')).items
  expect(await json('verification', 'show', id, one.id, '--mode', 'test')).toEqual(
    await api(`/v1/apps/${id}/verifications/${one.id}?mode=test`, token),
  )
  expect(await json('stats', '--by', 'endpoint,domain')).toEqual(
    await api('/v1/stats?by=endpoint,domain', token),
  )
})

test('verifications are listed by mode, status and recipient, without codes', async () => {
  const list = (...flags: string[]) => json('verifications', app.id, ...flags)

  const all = await list('--mode', 'test')
  const one = await list('--mode', 'test', '--to', 'bob@example.com')
  const approved = await list('--mode', 'test', '--status', 'approved')
  const live = await list()

  expect(all.items).toHaveLength(3)
  expect(one.items.map(({ to }: { to: string }) => to)).toEqual(['b***@example.com'])
  expect([approved.items, live.items]).toEqual([[], []])
  expect(JSON.stringify(all)).not.toContain('bob@')
})

test('a terminal gets a table and the command for the next page, a pipe gets lines', async () => {
  const argv = ['verifications', app.id, '--mode', 'test', '--limit', '2', ...place.at]
  const seen = await command(argv, { isTerminal: true, env: { NO_COLOR: '1' } })
  const [, cursor = ''] = /--cursor (\S+)/.exec(seen.err) ?? []
  const rest = await command([...argv, '--cursor', cursor])

  expect(seen.out).toMatch(/^ID +STARTED +TO +STATUS +ATTEMPTS LEFT +DELIVERY\n/)
  expect(seen.out).toMatch(/\*\*\*@example\.com +pending +5 +sent/)
  expect(rest.out.trimEnd().split('\n')).toHaveLength(1)
  expect(rest.out).toMatch(/^\w{30}\t\S+Z\ta\*\*\*@example\.com\tpending\t5\tsent/)
  expect(rest.err).toBe('')
})

test('events are listed by type and app', async () => {
  const sent = await json('events', '--type', 'delivery.sent', '--app', app.id)
  const other = await json('events', '--type', 'budget.exhausted')
  const { out } = await command(['events', '--type', 'delivery.sent', ...place.at])

  expect(sent.items).toHaveLength(3)
  expect(other.items).toEqual([])
  expect(out.split('\n')[0]).toMatch(new RegExp(`Z\\tdelivery\\.sent\\t${app.id}\\t\\w{30}\\t`))
})

test('stats count what happened in the latest buckets', async () => {
  const { bucket, items } = await json('stats', '--bucket', 'day', '--last', '2')
  const { out } = await command(['stats', ...place.at], { isTerminal: true })

  expect(bucket).toBe('day')
  const starts = items.reduce((sum: number, row: { starts: number }) => sum + row.starts, 0)
  expect(starts).toBe(3)
  expect(out).toContain('STARTS')
})

const refused: [argv: string[], says: string][] = [
  [['events', '--type', 'delivery.lost'], '--type must be one of verification.approved,'],
  [['verifications', 'x', '--status', 'lost'], '--status must be one of pending,'],
  [['verifications', 'x', '--mode', 'dry'], '--mode must be one of live, test'],
  [['events', '--limit', '0'], '--limit must be a whole number from 1 to 100'],
  [['events', '--cursor', 'garbage'], '--cursor must be what the page before ended with'],
  [['verifications', 'x', '--cursor', '12'], '--cursor must be what the page before ended with'],
  [['stats', '--bucket', 'year'], '--bucket must be one of minute, hour, day'],
  [['stats', '--by', 'endpoint,domain', '--bucket', 'day'], '--bucket is not for this --by'],
  [['stats', '--by', 'domain'], '--by must be one of time, endpoint,domain'],
  [['stats', '--last', '2001'], '--last must be a whole number from 1 to 2000'],
]

test.each(refused)('%j is refused by the name of the flag', async (argv, says) => {
  const { code, err } = await command([...argv, ...place.at])

  expect(code).toBe(2)
  expect(err).toContain(says)
})

test('verifications of an unknown app or an invalid address are failures', async () => {
  const unknown = await command(['verifications', 'none', ...place.at])
  const address = await command(['verifications', app.id, '--to', 'nobody', ...place.at])

  expect([unknown.code, unknown.err]).toEqual([1, 'otpmint verifications: No such app\n'])
  expect(address.code).toBe(2)
  expect(address.err).toContain('--to must be one e-mail address')
})

test('a verification is shown with its route and what may be done next', async () => {
  const [one] = (await json('verifications', app.id, '--mode', 'test')).items

  const show = ['verification', 'show', app.id, one.id, '--mode', 'test', ...place.at]
  const { code, out } = await command(show)

  expect(code).toBe(0)
  expect(out).toContain(`inbox ${one.to}`)
  expect(out).toContain(one.next.check)
  expect(out).toContain(`${one.next.resend.at} by inbox`)
  const policy = [
    '--channels',
    'email',
    '--check-delays',
    '0,0,5',
    '--fallback-after-seconds',
    '30',
  ]
  const changed = await json('app', 'update', app.id, ...policy)
  const wanted = { channels: ['email'], check_delays: [0, 0, 5], fallback_after_seconds: 30 }
  expect(changed.policy).toMatchObject(wanted)
  const wrong = await command(['app', 'update', app.id, '--check-delays', '0,x', ...place.at])
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining('--check-delays must be')])
})

// The last one, because it starts a verification more.
test('a verification is shown with all that happened to it, and without its code', async () => {
  const zoe = { to: 'zoe@example.com' }
  const started = (await api('/v1/verifications', app.test_key, zoe, 'wait=5')) as { id: string }
  const { items } = (await api('/v1/inbox', token)) as { items: Record<string, string>[] }
  const { code = '' } = items.find(({ verification }) => verification === started.id) ?? {}
  const wrong = (code.startsWith('0') ? '1' : '0') + code.slice(1)
  for (const typed of [wrong, code]) {
    await api(`/v1/verifications/${started.id}/check`, app.test_key, { code: typed })
  }

  const argv = ['verification', 'show', app.id, started.id, ...place.at]
  const { out } = await command([...argv, '--mode', 'test'], { isTerminal: true })
  const live = await command(argv)

  expect(out).toContain(started.id)
  expect(out).toMatch(/attempts left\S* +3\n/)
  expect(out).toMatch(/AT +WHAT +CHANNEL +ENDPOINT +DETAIL/)
  const rows = out.split('\n').map((line) => /^\S+Z {2}(\S.*?)(?: {2,}|$)/.exec(line)?.[1])
  const told = rows.filter((each) => each !== undefined)
  expect(told).toEqual(['started', 'queued', 'sent', 'wrong code', 'approved'])
  expect(out).toMatch(/Z +sent +inbox +kept in the inbox of this server; took \d+ ms/)
  expect(out).not.toContain(code)
  expect([live.code, live.err]).toEqual([1, expect.stringContaining('No such verification')])
})
