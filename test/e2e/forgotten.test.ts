import { Database } from 'bun:sqlite'
import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { createCanary } from '../support/canary.ts'
import { executable, killAll, scratch, start } from '../support/executable.ts'
import { adminToken, call, createApp } from './client.ts'
import { filesOf } from './data-files.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(90_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

test('an address that is no longer needed is in no page of the database, not even sealed', async () => {
  const dataDir = join(folder, 'forgotten')
  const env = { OTPMINT_DATA_DIR: dataDir }
  const server = await start(['serve'], env)
  const sink = await mailSink()
  const { liveKey: token } = await createApp(server, adminToken(dataDir), { port: sink.port })
  const url = `${server.base}/v1/verifications`
  const ids: string[] = []
  for (let index = 0; index < 20; index++) {
    const to = `${'p'.repeat(index)}${index}@example.com`
    const { json } = await call(url, { to }, { token, headers: { prefer: 'wait=5' } })
    ids.push(json.id ?? '')
  }
  const canary = createCanary()
  const sealed = new Database(join(dataDir, 'otpmint.db'), { readonly: true })
  const rows = sealed.query<Sealed, []>('select recipient_sealed, code_digest from verifications')
  rows.all().forEach((row, index) => {
    canary.guard(`sealed address ${index}`, row.recipient_sealed)
    canary.guard(`code digest ${index}`, row.code_digest)
  })
  sealed.close()
  for (const [index, id] of ids.entries()) {
    if (index === 19) continue
    const isCheck = index % 2 === 0
    const body = isCheck ? { code: sink.mails[index]?.code } : {}
    await call(`${url}/${id}/${isCheck ? 'check' : 'cancel'}`, body, { token })
  }
  await server.stop()
  await sink.close()
  for (const [name, content] of filesOf(dataDir)) canary.see(name, content)

  // The last one is pending, which shows that the search would find the others.
  expect(canary.hits()).toEqual(['sealed address 19 in otpmint.db', 'code digest 19 in otpmint.db'])
})

type Sealed = { recipient_sealed: Uint8Array; code_digest: Uint8Array }
