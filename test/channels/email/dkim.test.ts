import { expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { dkimVerify } from 'mailauth'
import { createComposer } from '../../../src/channels/email/compose.ts'
import { createDkim } from '../../../src/channels/email/dkim.ts'
import { mailOf } from '../../../src/channels/email/email.ts'
import { type DkimKey, dkimPlace, dkimRecord } from '../../../src/domain/app/dkim.ts'
import { lifeLeft } from '../../../src/domain/delivery/life.ts'
import { languages } from '../../../src/domain/language.ts'
import { dkimPairs } from '../../../src/keys/dkim-pair.ts'
import { smtpOf } from '../../support/commands.ts'
import { dnsOf, resolverOf } from '../../support/dns.ts'
import { mailServer } from '../../support/smtp.ts'
import { appWith, handoverOf, keyring, noon, openChannel } from '../mail-fixtures.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const pair = dkimPairs.read(pem) ?? { publicKey: '', privateKey: '' }
const signer = { domain: 'acme.test', selector: 's1', privateKey: pair.privateKey }
const { name, value } = dkimRecord({ ...signer, publicKey: pair.publicKey })
const resolver = resolverOf(dnsOf({ [`txt ${name}`]: [value] }).zone)

async function verdict(raw: string): Promise<string[]> {
  const { results } = await dkimVerify(Buffer.from(raw, 'latin1'), { resolver })
  return results.map(({ status }) => status.result)
}

function compose(
  parts: Parameters<typeof appWith>[0],
  message: Parameters<typeof handoverOf>[1] = {},
): Promise<string> {
  const app = appWith(parts)
  const settings = smtpOf(app.endpoints[0])
  return createComposer().compose(mailOf(handoverOf(app, message)), settings, lifeLeft(600_000, 0))
}

const dkim = createDkim()
const signed = async (raw: string) => dkim.sign(raw, signer, noon)

test.each([
  ['plain', {}, {}],
  ['with an origin', { policy: { origin: 'https://acme.test' } }, {}],
  ['without the code in the subject', { policy: { codeInSubject: false } }, {}],
  ['in another script', { name: '株式会社日本郵便認証局' }, {}],
  ['from right to left', { name: 'שלום אקמה' }, {}],
  ['with a long name', { name: 'a b '.repeat(16).trim() }, {}],
  ['to a long address', {}, { to: `${'a'.repeat(64)}@${'b.'.repeat(80)}example` }],
  ['with a long code', {}, { code: 'ABCDEFGHJKMNP', codeFormat: 'crockford' as const }],
])('a signed mail %s verifies', async (_, parts, message) => {
  const raw = await signed(await compose(parts, message))

  expect(await verdict(raw)).toEqual(['pass'])
  expect(raw.split('\r\n').every(({ length }) => length <= 998)).toBe(true)
})

test.each(languages)('a signed mail in %s verifies', async (locale) => {
  const message = { locale, to: 'ada@example.com' }
  expect(await verdict(await signed(await compose({ name: 'Café' }, message)))).toEqual(['pass'])
})

test('any mail that is composed verifies, and not with another letter in it', async () => {
  const names = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 })
  const anyMail = fc.record({ name: names, code: fc.nat(999_999), at: fc.nat() })
  await fc.assert(
    fc.asyncProperty(anyMail, async ({ name, code, at }) => {
      const message = { code: String(code).padStart(6, '0') }
      const raw = await signed(await compose({ name }, message))
      const part = raw.indexOf('\r\nFrom: ')
      const letters = [...raw.slice(part).matchAll(/[A-Za-z0-9]/g)].map(({ index }) => index + part)
      const place = letters[at % letters.length] ?? 0
      const other = raw.charAt(place) === 'x' ? 'y' : 'x'
      const changed = raw.slice(0, place) + other + raw.slice(place + 1)

      expect(await verdict(raw)).toEqual(['pass'])
      if (isSigned(raw, place)) expect(await verdict(changed)).not.toContain('pass')
    }),
    { numRuns: 60 },
  )
})

/** Whether the character is in the body or in the value of a signed field. */
function isSigned(raw: string, place: number): boolean {
  const head = raw.indexOf('\r\n\r\n')
  if (place > head) return true
  const before = raw.slice(0, place)
  const field = before.slice(before.lastIndexOf('\r\n', place) + 2)
  return /^(From|To|Subject|Date|Message-ID|MIME-Version|Content-Type|OTP-Token):/.test(field)
}

test('a second From or Subject breaks the signature', async () => {
  const raw = await signed(await compose({}))
  for (const field of ['From: Eve <eve@evil.test>', 'Subject: another', 'OTP-Token: x']) {
    const isInMail = raw.includes(`\r\n${field.split(':')[0]}:`)
    expect([field, (await verdict(`${field}\r\n${raw}`)).join()]).toEqual([
      field,
      isInMail ? 'fail' : 'pass',
    ])
  }
})

test('white space at the ends of lines and blank lines at the end may change on the way', async () => {
  for (const body of [
    '',
    '\r\n',
    'a  b \r\n\r\n \r\n',
    'no line break',
    'a space at the end ',
    '\r\n\r\na\t\tb\r\n',
  ]) {
    const raw = await signed(`From: a@acme.test\r\nSubject:  a\r\n b\r\n\r\n${body}`)
    expect([body, await verdict(raw)]).toEqual([body, ['pass']])
    expect([body, await verdict(raw.replace('a  b ', 'a b'))]).toEqual([body, ['pass']])
    expect([body, await verdict(`${raw}\r\n`.replace(/(\r\n)+$/, '\r\n'))]).toEqual([
      body,
      ['pass'],
    ])
  }
})

test('the same mail is signed alike, and a key that does not sign leaves the mail as it is', async () => {
  const raw = await compose({})
  expect(await signed(raw)).toBe(await signed(raw))
  expect(await createDkim().sign(raw, { ...signer, privateKey: 'bm90IGEga2V5' }, noon)).toBe(raw)
})

test('more keys than are kept still sign', async () => {
  const own = createDkim()
  const raw = await compose({})
  // Other texts of one key, each kept by itself.
  const texts = Array.from({ length: 205 }, (_, index) => `${pair.privateKey}${'\n'.repeat(index)}`)
  for (const privateKey of [...texts, texts[0] ?? '']) {
    expect(await own.sign(raw, { ...signer, privateKey }, noon)).toContain('DKIM-Signature')
  }
})

test('a mail is signed with the key of its domain that the DNS has, and else sent unsigned', async () => {
  const server = await mailServer()
  const channel = openChannel()
  const app = appWith({ email: { port: server.port } })
  const names = { id: 'k', domain: 'acme.test', selector: 's1', publicKey: pair.publicKey }
  const key = { ...names, foundAt: noon, createdAt: noon }
  const privateSealed = keyring.seal(app.id, app.dataKey, dkimPlace(key), pair.privateKey)
  const cases: [string[], Partial<DkimKey>[]][] = [
    [['pass'], [{}]],
    [['none'], []],
    [['none'], [{ foundAt: null }]],
    [['none'], [{ domain: 'other.test' }]],
    // Sealed for another selector, so it does not open.
    [['none'], [{ selector: 's2' }]],
    [['pass'], [{ foundAt: null, selector: 's2', createdAt: noon + 1 }, {}]],
  ]
  for (const [expected, keys] of cases) {
    const dkim = keys.map((part) => ({ ...key, privateSealed, ...part }))
    const { status } = await channel.send({ ...app, dkim })
    expect(status).toBe('sent')
    expect(await verdict(server.arrived.at(-1)?.raw ?? '')).toEqual(expected)
  }
  channel.close()
  await server.close()
})
