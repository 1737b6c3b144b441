import { afterAll, beforeAll, expect, test } from 'bun:test'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dnsOf } from '../support/dns.ts'
import { command, installation } from './terminal.ts'

const dns = dnsOf()
let place: Awaited<ReturnType<typeof installation>>
let app: string
beforeAll(async () => {
  place = await installation()
  const created = await command(['app', 'create', 'Acme', '--json', ...place.at])
  app = JSON.parse(created.out).id
})
afterAll(() => place.remove())

const run = (...argv: string[]) => command([...argv, ...place.at], { dns })
const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const text = pem.export({ type: 'pkcs8', format: 'pem' }).toString()

test('a new key is printed as a record to copy, and signs once the DNS has it', async () => {
  const added = await run('dkim', 'add', app, '--domain', 'example.com', '--selector', 's1')
  expect([added.code, added.err]).toEqual([0, ''])
  const line = (name: string) =>
    new RegExp(`^${name}  +(.*)$`, 'm').exec(added.out)?.[1] ?? `no ${name} in ${added.out}`
  expect(line('name')).toBe('s1._domainkey.example.com')
  expect(line('value')).toStartWith('v=DKIM1; k=rsa; p=MII')
  expect(line('then')).toBe(`otpmint dkim check ${app}`)
  const zone = /^s1\._domainkey\.example\.com\. IN TXT \( (.*) \)$/.exec(line('zone file'))?.[1]
  const strings = [...(zone ?? '').matchAll(/"([^"]*)"/g)].map(([, string = '']) => string)
  expect(strings.every(({ length }) => length <= 255)).toBe(true)
  expect(strings.join('')).toBe(line('value'))

  const early = await run('dkim', 'check', app)
  expect([early.code, early.out]).toEqual([
    1,
    's1._domainkey.example.com: the DNS has no such record yet; it does not sign\n',
  ])
  dns.zone['txt s1._domainkey.example.com'] = [line('value')]
  const late = await run('dkim', 'check', app)
  expect([late.code, late.out]).toEqual([
    0,
    's1._domainkey.example.com: the DNS has the key; it signs\n',
  ])
  const listed = await run('dkim', 'list', app)
  expect(listed.out).toBe(
    [line('id'), 'yes', 's1._domainkey.example.com', `${line('value')}\n`].join('\t'),
  )
  const removed = await run('dkim', 'remove', app, line('id'))
  expect(removed.out).toBe(`removed ${line('id')}\n`)
  expect((await run('dkim', 'list', app, '--json')).out).toBe('{\n  "items": []\n}\n')
})

test('a key of your own comes from a file or a pipe, and what is none is refused', async () => {
  const file = join(place.path, 'key.pem')
  writeFileSync(file, text)
  const add = ['dkim', 'add', app, '--domain', 'example.net', '--json', '--private-key-file']
  const given = await run(...add, file)
  const piped = await command([...add, '-', ...place.at], { input: text })
  expect(given.err + piped.err).toBe('')
  expect(JSON.parse(given.out).record.value).toBe(JSON.parse(piped.out).record.value)

  writeFileSync(file, 'canary')
  const wrong = await run(...add, file)
  expect([wrong.code, wrong.out]).toEqual([2, ''])
  expect(wrong.err).toBe(
    'otpmint dkim add: --private-key-file must be an RSA private key of 2048 to 4096 bits in ' +
      'PEM, without a passphrase\n',
  )
  expect((await run(...add, join(place.path, 'none'))).err).toContain(
    '--private-key-file names a file that cannot be read',
  )
  expect((await run('dkim', 'add', app)).err).toBe('otpmint dkim add: --domain is missing\n')
})
