import { expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import {
  type DkimKey,
  dkimPlace,
  dkimRecord,
  inDns,
  readDkimDomain,
  readSelector,
  signingKey,
} from '../../src/domain/app/dkim.ts'
import { addDkimKey, checkDkimKeys, removeDkimKey } from '../../src/domain/app/dkim-keys.ts'
import { Problem } from '../../src/domain/problem.ts'
import { dkimPairs } from '../../src/keys/dkim-pair.ts'
import { dkimKey } from '../support/commands.ts'
import { type World, world } from '../support/world.ts'

const actor = { who: 'cli', requestId: null }
const pem = rsa(2048)
const pair = dkimPairs.read(pem) ?? { publicKey: '', privateKey: '' }

function rsa(modulusLength: number, options: Record<string, string> = {}): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength })
  return privateKey.export({ type: 'pkcs8', format: 'pem', ...options }).toString()
}

/** Adds a key that was made before, because making one takes long. */
function add(at: World, input: Record<string, unknown> = {}): Promise<DkimKey> {
  const command = { appId: at.app.id, domain: 'example.com', privateKey: pem, ...input }
  return addDkimKey(at, actor, command)
}

async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Problem)) throw new Error('it was not refused')
  return { code: error.code, errors: error.extra.errors ?? [] }
}

const appOf = async (at: World) => (await at.apps.get(at.app.id)) ?? at.app

test('a key is made of 2048 bits and sealed for its app, domain and selector only', async () => {
  const at = await world()
  const key = await add(at, { privateKey: undefined, domain: 'Example.COM.' })

  expect(key).toMatchObject({ domain: 'example.com', foundAt: null, createdAt: at.clock.now() })
  expect(key.selector).toMatch(/^otpmint-[a-z0-9]{6}$/)
  const { dataKey, dkim } = await appOf(at)
  expect(dkim).toEqual([key])
  const open = (place: DkimKey) =>
    at.keyring.open(at.app.id, dataKey, dkimPlace(place), key.privateSealed)
  const opened = `-----BEGIN PRIVATE KEY-----\n${open(key)}\n-----END PRIVATE KEY-----`
  expect(dkimPairs.read(opened)?.publicKey).toBe(key.publicKey)
  expect(Buffer.from(key.publicKey, 'base64')).toHaveLength(294)
  expect(() => open({ ...key, selector: 'other' })).toThrow()
  expect(() => open({ ...key, domain: 'example.net' })).toThrow()
  expect(dkimRecord(key)).toEqual({
    name: `${key.selector}._domainkey.example.com`,
    type: 'TXT',
    value: `v=DKIM1; k=rsa; p=${key.publicKey}`,
  })
})

test('a given key is taken as it is, also in the older form of PEM', async () => {
  const at = await world()
  const older = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })

  const [given, old] = [await add(at), await add(at, { privateKey: older.privateKey })]

  expect(given.publicKey).toBe(pair.publicKey)
  expect(old.publicKey).toBe(older.publicKey.toString('base64'))
})

const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
const publicPem = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
test.each([
  ['empty', ''],
  ['a word', 'key'],
  ['a number', 7],
  ['null', null],
  ['cut', pem.slice(0, 900)],
  ['of another kind', ec.export({ type: 'pkcs8', format: 'pem' }).toString()],
  ['public', publicPem.export({ type: 'spki', format: 'pem' }).toString()],
  ['short', rsa(1024)],
  ['locked', rsa(2048, { cipher: 'aes-256-cbc', passphrase: 'secret' })],
  ['long', `${pem}${' '.repeat(8192)}`],
])('a private key that is %s is refused in words, and nothing is stored', async (_, privateKey) => {
  const at = await world()

  const { code, errors } = await refusal(add(at, { privateKey }))

  expect(code).toBe('invalid_request')
  expect(errors).toEqual([
    {
      field: 'private_key',
      reason: 'must be an RSA private key of 2048 to 4096 bits in PEM, without a passphrase',
    },
  ])
  expect((await appOf(at)).dkim).toEqual([])
})

test('every mistake is named at once, and a selector is used once for a domain', async () => {
  const at = await world()
  const wrong = { domain: 'localhost', selector: 'A b', privateKey: 5 }
  expect((await refusal(add(at, wrong))).errors.map(({ field }) => field)).toEqual([
    'domain',
    'selector',
    'private_key',
  ])
  await add(at, { selector: 's1' })
  await add(at, { selector: 's1', domain: 'example.net' })
  expect(await refusal(add(at, { selector: 's1' }))).toEqual({
    code: 'invalid_request',
    errors: [{ field: 'selector', reason: 'is in use for this domain already' }],
  })
  expect((await refusal(add(at, { appId: 'x'.repeat(22) }))).code).toBe('app_not_found')
})

test('an app has at most ten keys, also when they are added at once', async () => {
  const at = await world()
  const added = await Promise.allSettled(Array.from({ length: 14 }, () => add(at)))

  expect(added.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
  const { dkim } = await appOf(at)
  expect(dkim).toHaveLength(10)
  expect((await refusal(add(at))).code).toBe('too_many_dkim_keys')
  await removeDkimKey(at, actor, { appId: at.app.id, id: dkim[0]?.id ?? '' })
  await add(at)
})

test('of a domain the newest key that the DNS has signs, and one that left the DNS does not', async () => {
  const at = await world()
  const from = 'codes@example.com'
  const check = () => checkDkimKeys(at, actor, at.app.id)
  const publish = (key: DkimKey, value = dkimRecord(key).value) => {
    at.dns.zone[`txt ${dkimRecord(key).name}`] = [value]
  }
  const signs = async () => signingKey(await appOf(at), from)?.id
  const old = await add(at)
  at.clock.advance(1_000)
  const young = await add(at)
  at.clock.advance(1_000)
  const foreign = await add(at, { domain: 'login.example.com' })

  expect((await check()).map(({ found }) => found)).toEqual(['missing', 'missing', 'missing'])
  expect(await signs()).toBeUndefined()
  publish(old)
  publish(foreign)
  expect((await check()).map(({ found }) => found)).toEqual(['found', 'missing', 'found'])
  expect(await signs()).toBe(old.id)
  publish(young)
  await check()
  expect(await signs()).toBe(young.id)

  at.dns.zone[`txt ${dkimRecord(young).name}`] = null
  const silent = await check()
  expect(silent.find(({ key }) => key.id === young.id)?.found).toBe('unknown')
  expect(await signs()).toBe(young.id)
  publish(young, 'v=DKIM1; k=rsa; p=')
  await check()
  expect(await signs()).toBe(old.id)
  await removeDkimKey(at, actor, { appId: at.app.id, id: old.id })
  expect(await signs()).toBeUndefined()
})

test('a check that finds nothing new writes nothing', async () => {
  const at = await world()
  const key = await add(at)
  at.dns.zone[`txt ${dkimRecord(key).name}`] = [dkimRecord(key).value]
  await checkDkimKeys(at, actor, at.app.id)
  const before = await appOf(at)
  at.clock.advance(5_000)

  await checkDkimKeys(at, actor, at.app.id)

  expect(await appOf(at)).toEqual(before)
  const records = await at.audit.after(0, 100)
  expect(records.map(({ action }) => action)).toEqual(['app.create', 'dkim.add', 'dkim.check'])
  expect(records[1]?.detail).toBe(`dkim ${key.id} ${key.selector}._domainkey.example.com`)
})

const key = dkimKey({ publicKey: 'MIIB+a/b=' })
test.each([
  ['missing', []],
  ['found', ['v=DKIM1; k=rsa; p=MIIB+a/b=']],
  ['found', ['p=MIIB +a/b=']],
  ['found', ['v=DKIM1;k=rsa;h=sha1:sha256;s=email:other;t=s;p=MIIB+a/b=;']],
  ['found', ['v=DKIM1; s=*; p=MIIB+a/b=']],
  ['other', ['v=DKIM1; p=']],
  ['other', ['v=DKIM1; p=MIIB+a/c=']],
  ['other', ['v=DKIM2; p=MIIB+a/b=']],
  ['other', ['v=DKIM1; k=ed25519; p=MIIB+a/b=']],
  ['other', ['v=DKIM1; h=sha1; p=MIIB+a/b=']],
  ['other', ['v=DKIM1; s=tlsrpt; p=MIIB+a/b=']],
  ['other', ['v=DKIM1; p=MIIB+a/b=', 'v=DKIM1; p=MIIB+a/b=']],
  ['other', ['google-site-verification=x']],
] as const)('a key is %s in %p', (expected, records) => {
  expect(inDns(key, [...records])).toBe(expected)
})

test('a key signs for its own domain only, and not before it was found', () => {
  const found = dkimKey({ foundAt: 1, domain: 'example.com' })
  const of = (keys: DkimKey[], from: string) => signingKey({ dkim: keys }, from)

  expect(of([found], 'codes@example.com')).toBe(found)
  expect(of([found], 'codes@login.example.com')).toBeNull()
  expect(of([found], 'codes@notexample.com')).toBeNull()
  expect(of([{ ...found, foundAt: null }], 'codes@example.com')).toBeNull()
})

test('domains and selectors are read strictly', () => {
  expect(readDkimDomain('müller.example')).toBe('xn--mller-kva.example')
  for (const wrong of [
    `${'a.'.repeat(89)}com`,
    'com',
    '192.0.2.1',
    'a..b',
    'a@b.com',
    'a b.com',
    7,
    '',
  ]) {
    expect(readDkimDomain(wrong)).toBeUndefined()
  }
  for (const right of ['s1', 'a.b', '2026-11', 'x'.repeat(63)]) {
    expect(readSelector(right)).toBe(right)
  }
  for (const wrong of ['', '-a', 'a-', 'A', 'a_b', 'a..b', 'a.', 'x'.repeat(64), 'a;p=', 7]) {
    expect(readSelector(wrong)).toBeUndefined()
  }
})
