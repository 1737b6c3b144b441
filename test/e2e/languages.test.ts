import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { simpleParser } from 'mailparser'
import { languages } from '../../src/domain/language.ts'
import { executable, killAll, scratch, start } from '../support/executable.ts'
import { mailServer, until } from '../support/smtp.ts'
import { adminToken, call, createApp } from './client.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

test('every language arrives as a mail whose code is right, else the language of the app', async () => {
  const sink = await mailServer()
  const dataDir = join(folder, 'data')
  const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir })
  const policy = { language: 'fi' }
  const { liveKey } = await createApp(server, adminToken(dataDir), { port: sink.port, policy })
  const verifications = `${server.base}/v1/verifications`
  const wanted = [...languages, 'zh-hk', 'pt-AO', 'lt', undefined]

  const ids = new Map<string, string>()
  for (const [index, locale] of wanted.entries()) {
    const to = `person-${index}@example.com`
    const { status, json } = await call(verifications, { to, locale }, { token: liveKey })
    expect([locale, status]).toEqual([locale, 201])
    ids.set(to, json.id ?? '')
  }
  await until(() => sink.arrived.length === wanted.length)

  const arrived = new Map<string | undefined, string>()
  for (const { raw, recipients } of sink.arrived) {
    const mail = await simpleParser(raw)
    const [to = ''] = recipients
    const code = /^\d{6}(?= )/.exec(mail.text)?.[0]
    expect(mail.subject).toStartWith(`${code} `)
    const checked = await call(
      `${verifications}/${ids.get(to)}/check`,
      { code },
      { token: liveKey },
    )
    expect([to, checked.json.valid]).toEqual([to, true])
    const index = Number(/\d+/.exec(to)?.[0])
    arrived.set(String(wanted[index]), String(mail.headers.get('content-language')))
  }
  expect(Object.fromEntries(arrived)).toEqual({
    ...Object.fromEntries(languages.map((language) => [language, language])),
    ...{ 'zh-hk': 'zh-Hant', 'pt-AO': 'pt-PT', lt: 'fi', undefined: 'fi' },
  })
  expect(await server.stop()).toBe(0)
  await sink.close()
})

test('a language that there is none of is refused by name', async () => {
  const dataDir = join(folder, 'refusing')
  const server = await start(['serve'], { OTPMINT_DATA_DIR: dataDir })
  const app = { name: 'Acme', policy: { language: 'tlh' } }
  const refused = await call(`${server.base}/v1/apps`, app, { token: adminToken(dataDir) })
  const { testKey } = await createApp(server, adminToken(dataDir), { port: 25 })
  const request = { to: 'ada@example.com', locale: 'de-DE-DE' }
  const noTag = await call(`${server.base}/v1/verifications`, request, { token: testKey })

  expect([refused.status, refused.json['errors']]).toMatchObject([
    422,
    [{ field: 'policy.language' }],
  ])
  expect([noTag.status, noTag.json['errors']]).toMatchObject([422, [{ field: 'locale' }]])
  expect(noTag.text).not.toContain('DE-DE')
  await server.stop()
})
