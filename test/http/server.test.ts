import { expect, test } from 'bun:test'
import { Problem } from '../../src/domain/problem.ts'
import { type Backup, examinedMax } from '../../src/domain/server.ts'
import { plainInstallation } from '../support/installation.ts'
import { noon } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

const admin = (at: Site, method: string, path: string) =>
  at.call(method, path, { token: adminToken })

test('the admin reads what the server is, how it is set and what was found', async () => {
  const at = await site()

  const { json } = await admin(at, 'GET', '/v1/server')
  const examined = await admin(at, 'POST', '/v1/server/examine')

  expect(json).toMatchObject({
    ...{ version: '0.1.0', node: 'local', started_at: '2026-06-15T12:00:00.000Z' },
    nodes: [{ id: 'local', seen_at: '2026-06-15T12:00:00.000Z' }],
    disk: { free_bytes: 1000, total_bytes: 2000 },
    settings: [{ name: 'OTPMINT_PORT', value: '0', source: 'flag' }],
    findings: [{ check: 'disk', status: 'ok', next: null }],
  })
  expect(examined.json.items).toEqual(json.findings)
})

test('where there are more than 100 endpoints, an examination is of one app', async () => {
  const at = await site()
  const email = { host: 'mail.acme.test', port: 587, from: 'codes@acme.test', password: 'secret' }
  const { items } = (await admin(at, 'GET', '/v1/apps')).json
  const had = items.flatMap(({ endpoints }: { endpoints: object[] }) => endpoints).length
  for (let count = had; count < examinedMax; count++) {
    await at.call('POST', '/v1/apps', { token: adminToken, body: { name: 'Acme', email } })
  }
  const examine = (body: object) =>
    at.call('POST', '/v1/server/examine', { token: adminToken, body })

  expect((await examine({})).status).toBe(200)
  const more = { name: 'One more', email }
  const { json: app } = await at.call('POST', '/v1/apps', { token: adminToken, body: more })
  const all = await examine({})
  expect([all.status, all.json.errors]).toEqual([
    422,
    [{ field: 'app', reason: 'must be given: there are more than 100 endpoints' }],
  ])
  expect((await examine({ app: app.id })).status).toBe(200)
  expect((await examine({ app: 'x'.repeat(22) })).json.code).toBe('app_not_found')
  expect((await examine({ app: 'x' })).json.errors[0].field).toBe('app')
})

test('the audit log is judged over HTTP as by the command, and a kept head is looked for', async () => {
  const at = await site()
  const path = '/v1/audit/verdict'

  const { json } = await admin(at, 'GET', path)
  expect(json).toEqual({ ok: true, records: 1, head: expect.stringMatching(/^1:[0-9a-f]{64}$/) })
  expect((await admin(at, 'GET', `${path}?expect_head=${json.head}`)).json.ok).toBe(true)
  const other = `1:${'0'.repeat(64)}`
  expect((await admin(at, 'GET', `${path}?expect_head=${other}`)).json).toEqual({
    ...{ ok: false, records: 1, fault: 'the expected head is not in the log' },
  })
  const wrong = await admin(at, 'GET', `${path}?expect_head=x`)
  expect([wrong.status, wrong.json.errors[0].field]).toEqual([422, 'expect_head'])
})

test('a backup is made and listed, and is in the audit log under the admin’s name', async () => {
  const made: Backup[] = []
  const backups = {
    list: async () => made,
    make: async (name: string, madeAt: number) => {
      if (made.length > 0) throw new Problem('backup_running')
      made.push({ name, bytes: 7, at: madeAt })
      return { name, bytes: 7, at: madeAt }
    },
  }
  const at = await site({ ports: { installation: { ...plainInstallation, backups } } })
  const name = 'otpmint-2026-06-15T12-00-00-000Z.db'
  const shown = { name, bytes: 7, made_at: new Date(noon).toISOString() }

  expect(await admin(at, 'POST', '/v1/server/backups')).toMatchObject({ status: 201, json: shown })
  expect((await admin(at, 'GET', '/v1/server/backups')).json).toEqual({ items: [shown] })
  const audit = await admin(at, 'GET', '/v1/audit?limit=1')
  expect(audit.json.items[0]).toMatchObject({ action: 'store.backup', detail: name, who: 'admin' })
  const again = await admin(at, 'POST', '/v1/server/backups')
  expect([again.status, again.json.code]).toEqual([409, 'backup_running'])
})

test('a database with tools of its own is not backed up here, and the refusal says so', async () => {
  const at = await site()

  for (const method of ['GET', 'POST']) {
    const { status, json } = await admin(at, method, '/v1/server/backups')
    expect([status, json.code]).toEqual([409, 'backup_elsewhere'])
  }
  expect((await admin(at, 'GET', '/v1/audit')).json.items).toHaveLength(1)
})
