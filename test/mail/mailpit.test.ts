import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test'
import { adminToken, call } from '../e2e/client.ts'
import { eventually, executable, killAll, scratch, start } from '../support/executable.ts'
import { type Mailpit, startMailpit } from './mailpit.ts'

// The compiled executable sends to Mailpit, which is built from its source on first use.
setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
let mailpit: Mailpit
let install: Awaited<ReturnType<typeof installed>>

beforeAll(async () => {
  mailpit = await startMailpit()
  install = await installed()
}, 600_000)
beforeEach(() => mailpit.refuse({}))
afterAll(async () => {
  await killAll()
  await mailpit?.close()
  remove()
})

async function installed() {
  const { base } = await start(['serve'], { OTPMINT_DATA_DIR: folder })
  const token = adminToken(folder)
  const server = { host: '127.0.0.1', port: mailpit.port, security: 'none' }
  const login = { user: 'codes@acme.test', password: 'any password' }
  const email = { ...server, ...login, from: 'codes@acme.test' }
  const { json } = await call(`${base}/v1/apps`, { name: 'Acme', email }, { token })
  const key = json.live_key ?? ''
  return {
    send: async (to: string, fields = {}) =>
      (
        await call(
          `${base}/v1/verifications`,
          { to, ...fields },
          { token: key, headers: { prefer: 'wait=10' } },
        )
      ).json,
    tries: async (id: unknown) => {
      const shown = await call(`${base}/v1/verifications/${id}`, undefined, { token: key })
      return shown.json.deliveries?.[0]?.tries ?? []
    },
    alarms: async () => {
      const { json } = await call(`${base}/v1/alarms?open=true`, undefined, { token })
      return ((json.items ?? []) as unknown as { kind: string }[]).map(({ kind }) => kind)
    },
    suppressions: async () => {
      const path = `${base}/v1/apps/${json.id}/suppressions`
      return (await call(path, undefined, { token })).json.items ?? []
    },
  }
}

test('a mail arrives in the language of the person, and mail programs show its HTML', async () => {
  const { delivery } = await install.send('ada@example.com', { locale: 'fr-CA' })

  const caught = await mailpit.messages()
  const mail = caught.find(({ To }) => To[0]?.Address === 'ada@example.com')
  expect(delivery?.status).toBe('sent')
  expect(mail?.Subject).toMatch(/^\d{6} est votre code pour Acme$/)
  const { supported, unsupported } = await mailpit.htmlCheck(mail?.ID ?? '')
  expect(supported).toBeGreaterThan(75)
  expect(unsupported).toBeLessThan(5)
})

test('a mail that is put off with 451 arrives when the server takes it', async () => {
  await mailpit.refuse({ Recipient: 451 })
  const { id, delivery } = await install.send('bob@example.com')
  expect(delivery?.status).toBe('deferred')
  await mailpit.refuse({})

  await eventually(async () => (await install.tries(id)).length > 1, 30_000)

  expect(await install.tries(id)).toMatchObject([
    { status: 'deferred', cause: 'busy', code: expect.stringMatching(/^451/) },
    { status: 'sent' },
  ])
})

test('an address that is refused with 550 is suppressed, and others are not', async () => {
  await mailpit.refuse({ Recipient: 550 })
  const { delivery } = await install.send('cy@example.com')
  await mailpit.refuse({})

  expect(delivery?.status).toBe('refused')
  expect(await install.suppressions()).toMatchObject([{ to: 'c***@example.com' }])
  expect((await install.send('dora@example.com')).delivery?.status).toBe('sent')
})

test('a refused sender raises an alarm and suppresses nobody', async () => {
  const before = await install.suppressions()
  await mailpit.refuse({ Sender: 550 })
  const { delivery } = await install.send('eve@example.com')

  expect(delivery?.status).toBe('refused')
  await eventually(async () => (await install.alarms()).includes('policy_refused'), 5_000)
  expect(await install.suppressions()).toEqual(before)
})
