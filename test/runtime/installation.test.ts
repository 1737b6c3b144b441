import { afterAll, expect, test } from 'bun:test'
import { startRuntime } from '../../src/runtime.ts'
import { eventLog, scratch } from './fixture.ts'

const place = scratch('installation')
afterAll(place.remove)

test('a running server tells its settings, its disk and what it found, and backs itself up', async () => {
  const token = 't'.repeat(40)
  const settings = place.settings(undefined, {
    OTPMINT_ADMIN_TOKEN: token,
    OTPMINT_LOG_LEVEL: 'error',
  })
  const { write } = eventLog()
  const environment = { LD_PRELOAD: '/tmp/x.so' }
  const running = await startRuntime(settings, { write, tell: null, pid: process.pid, environment })
  const call = async (method: string, path: string) => {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await fetch(`${running.url}${path}`, { method, headers })
    return { status: answer.status, text: await answer.text() }
  }
  try {
    const { text } = await call('GET', '/v1/server')
    const facts = JSON.parse(text)

    expect(facts).toMatchObject({ url: running.url, database: { kind: 'sqlite' } })
    expect(facts.disk.free_bytes).toBeWithin(1, facts.disk.total_bytes)
    expect(facts.nodes.map(({ id }: { id: string }) => id)).toEqual([facts.node])
    expect(facts.settings).toContainEqual(
      expect.objectContaining({ name: 'OTPMINT_LOG_LEVEL', value: 'error', source: 'environment' }),
    )
    const of = (check: string, items = facts.findings) =>
      items.filter((finding: { check: string }) => finding.check === check)
    expect(of('environment')[0]).toMatchObject({ status: 'failed' })
    expect(of('guess bound')).toHaveLength(1)
    expect(of('database')).toEqual([])
    expect(text).not.toContain(token)

    const examined = JSON.parse((await call('POST', '/v1/server/examine')).text).items
    expect(of('database', examined)).toMatchObject([{ status: 'ok' }])
    expect(of('server', examined)).toHaveLength(1)
    expect((await call('POST', '/v1/server/backups')).status).toBe(201)
    expect(JSON.parse((await call('GET', '/v1/server/backups')).text).items).toHaveLength(1)
  } finally {
    await running.stop()
  }
})
