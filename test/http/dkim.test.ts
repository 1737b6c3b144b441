import { expect, test } from 'bun:test'
import { adviseMailDns } from '../../src/channels/mail-dns/advice.ts'
import { dnsOf } from '../support/dns.ts'
import { adminToken, site } from './fixture.ts'

const token = adminToken

test('a key is added, listed, found in the DNS and removed', async () => {
  const at = await site()
  const path = `/v1/apps/${at.app.id}/dkim`
  const check = `/v1/apps/${at.app.id}/check-dkim`
  const added = await at.call('POST', path, { token, body: { domain: 'example.com' } })
  expect(added.status).toBe(201)
  const { id, record } = added.json
  expect(added.json).toMatchObject({ domain: 'example.com', signs: false, found_at: null })
  expect(record.value).toStartWith('v=DKIM1; k=rsa; p=MII')
  expect(added.text).not.toContain('PRIVATE')
  expect(Object.keys(added.json)).not.toContain('private_key')

  const missing = await at.call('POST', check, { token })
  expect(missing.json.items).toMatchObject([{ id, found: 'missing', signs: false }])
  at.dns.zone[`txt ${record.name}`] = [record.value]
  const found = await at.call('POST', check, { token })
  expect(found.json.items).toMatchObject([{ id, found: 'found', signs: true }])
  const listed = await at.call('GET', path, { token })
  expect(listed.json.items).toMatchObject([{ id, signs: true, found_at: expect.any(String) }])

  expect((await at.call('DELETE', `${path}/${id}`, { token })).status).toBe(204)
  expect((await at.call('DELETE', `${path}/${id}`, { token })).json.code).toBe('dkim_key_not_found')
  expect((await at.call('GET', path, { token })).json.items).toEqual([])
})

test('what is no key is refused by name, without what was sent', async () => {
  const at = await site()
  const path = `/v1/apps/${at.app.id}/dkim`
  const body = { domain: 'a b', selector: '*', private_key: 'canary of a key', more: 1 }

  const { status, json, text } = await at.call('POST', path, { token, body })

  expect(status).toBe(422)
  const fields = json.errors.map(({ field }: { field: string }) => field).sort()
  expect(fields).toEqual(['domain', 'more', 'selector'])
  expect(text).not.toContain('canary')
  const pem = { domain: 'example.com', private_key: 'canary of a key' }
  const other = await at.call('POST', path, { token, body: pem })
  expect(other.json.errors).toEqual([
    { field: 'private_key', reason: expect.stringContaining('must be an RSA private key') },
  ])
  expect(other.text + at.logged()).not.toContain('canary')
})

test('what the DNS says about the From domains is answered by domain', async () => {
  const dns = dnsOf({
    'txt _dmarc.example.com': ['v=DMARC1; p=none'],
    'addresses mail.example.com': ['198.41.0.4'],
  })
  const at = await site({ ports: { testDns: (app) => adviseMailDns({ dns }, app) } })

  const { status, json } = await at.call('GET', `/v1/apps/${at.app.id}/dns`, { token })

  expect(status).toBe(200)
  const shown = json.items.map((item: Record<string, string>) => [item['check'], item['status']])
  expect(shown).toEqual([
    ['mx', 'warning'],
    ['spf', 'warning'],
    ['dkim', 'ok'],
    ['dmarc', 'ok'],
  ])
  expect(json.items[1].record).toEqual({
    name: 'example.com',
    type: 'TXT',
    value: 'v=spf1 a:mail.example.com ~all',
  })
})
