import { describe, expect, test } from 'bun:test'
import { adviseDomain, adviseMailDns } from '../../src/channels/mail-dns/advice.ts'
import type { DomainRecords } from '../../src/channels/mail-dns/records.ts'
import { allows, readSpf } from '../../src/channels/mail-dns/spf.ts'
import { mailServersOf } from '../../src/domain/app/app.ts'
import { dkimRecord } from '../../src/domain/app/dkim.ts'
import { dkimKey } from '../support/commands.ts'
import { dnsOf, type Zone } from '../support/dns.ts'
import { appWith, endpointOf } from './mail-fixtures.ts'

const spfZone: Zone = {
  'txt plain.example': ['other', 'v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip4:198.51.100.7 -all'],
  'txt hosts.example': ['v=spf1 a mx:mail.example a:net.example/24 ~all'],
  'addresses hosts.example': ['192.0.2.1'],
  'mx mail.example': ['mx1.example', 'mx2.example'],
  'addresses mx1.example': ['192.0.2.11', '2001:db8::11'],
  'addresses mx2.example': ['192.0.2.12'],
  'addresses net.example': ['198.51.100.9'],
  'txt nested.example': ['v=spf1 include:plain.example ?include:none.example -ip4:203.0.113.1'],
  'txt moved.example': ['v=spf1 redirect=plain.example'],
  'txt upper.example': ['V=SPF1 IP4:192.0.2.1 INCLUDE:plain.example exp=why.example x-new=1 -ALL'],
  'txt macro.example': ['v=spf1 exists:%{i}._spf.example include:%{d}.example -all'],
  'txt two.example': ['v=spf1 -all', 'v=spf1 ~all'],
  'txt typo.example': ['v=spf1 ipv4:192.0.2.1 -all'],
  'txt bits.example': ['v=spf1 ip4:192.0.2.1/33 -all'],
  'txt empty.example': ['v=spf1 include:nothing.example -all'],
  'txt loop.example': ['v=spf1 include:loop.example -all'],
  'txt many.example': [`v=spf1 ${'a:host.example '.repeat(11)}-all`],
  'txt ten.example': [`v=spf1 ${'a:host.example '.repeat(10)}-all`],
  'txt silent.example': null,
  'txt asks-silent.example': ['v=spf1 include:silent.example -all'],
}

async function spf(domain: string) {
  const result = await readSpf(dnsOf(spfZone), domain)
  return result.state === 'broken' ? result.why : result
}

describe('an SPF record', () => {
  test.each([
    ['plain.example', ['192.0.2.200', '2001:db8::5', '198.51.100.7', '::ffff:192.0.2.3'], '-'],
    [
      'hosts.example',
      ['192.0.2.1', '192.0.2.11', '2001:db8::11', '192.0.2.12', '198.51.100.1'],
      '~',
    ],
    ['nested.example', ['192.0.2.200'], null],
    ['moved.example', ['192.0.2.200'], '-'],
    ['upper.example', ['192.0.2.1', '192.0.2.200'], '-'],
  ])('lets the addresses of %s send and no others', async (domain, addresses, all) => {
    const result = await spf(domain)
    if (typeof result === 'string' || result.state !== 'read') throw new Error('it was not read')
    for (const address of addresses)
      expect([address, allows(result.spf, address)]).toEqual([address, true])
    for (const address of ['203.0.113.1', '198.51.101.1', '2001:db9::1', 'nonsense']) {
      expect([address, allows(result.spf, address)]).toEqual([address, false])
    }
    expect(result.spf.all).toBe(all)
  })

  test.each([
    ['two.example', 'stands 2 times at two.example'],
    ['typo.example', 'of typo.example has "ipv4:192.0.2.1", which is no term'],
    ['bits.example', 'of bits.example has "ip4:192.0.2.1/33", which is no term'],
    ['empty.example', 'includes nothing.example, which has none'],
    ['loop.example', 'needs more than 10 look-ups, so that it counts as broken'],
    ['many.example', 'needs more than 10 look-ups, so that it counts as broken'],
  ])('that is broken says why: %s', async (domain, why) => {
    expect(await spf(domain)).toBe(why)
  })

  test('is told from none, and from no answer', async () => {
    expect(await spf('nowhere.example')).toEqual({ state: 'none' })
    expect(await spf('silent.example')).toEqual({ state: 'unknown' })
    expect(await spf('asks-silent.example')).toEqual({ state: 'unknown' })
    expect(await spf('ten.example')).toMatchObject({ state: 'read', spf: { lookups: 10 } })
    expect(await spf('macro.example')).toMatchObject({ state: 'read', spf: { hasMacros: true } })
  })

  test('that includes itself is asked for no more than eleven times', async () => {
    const dns = dnsOf(spfZone)
    await readSpf(dns, 'loop.example')
    expect(dns.asked.length).toBeLessThanOrEqual(11)
  })
})

const key = dkimKey({ domain: 'example.com', selector: 's1', publicKey: 'MIIB' })
const spfOf = (parts: object) => ({
  state: 'read' as const,
  spf: {
    ...{
      record: '',
      networks: ['192.0.2.0/24'],
      includes: [],
      lookups: 0,
      all: '~',
      hasMacros: false,
    },
    ...parts,
  },
})
const relay = (host: string, address = '192.0.2.7', isInside = false) => {
  return { host, addresses: [address], isInside }
}
const good: DomainRecords = {
  appId: 'APP',
  domain: 'example.com',
  relays: [relay('mail.example.net')],
  mx: ['mx.example.com'],
  addresses: [],
  spf: spfOf({}),
  dkim: [{ key, found: 'found', signs: true }],
  dmarc: { name: '_dmarc.example.com', records: ['v=DMARC1; p=reject'] },
}
const away = [relay('mail.example.net', '203.0.113.9')]
const google = [relay('smtp.gmail.com', '203.0.113.9')]
const here = [relay('127.0.0.1', '127.0.0.1', true)]

describe('the advice', () => {
  test('for a domain where all is right has nothing to do', () => {
    const findings = adviseDomain(good)
    expect(findings.map(({ check, status, next }) => [check, status, next])).toEqual([
      ['mx', 'ok', null],
      ['spf', 'ok', null],
      ['dkim', 'ok', null],
      ['dmarc', 'ok', null],
    ])
  })

  test.each<[string, Partial<DomainRecords>, string, string]>([
    ['mx', { mx: [] }, 'warning', 'example.com takes no mail: no MX, no address'],
    ['mx', { mx: [], addresses: ['192.0.2.1'] }, 'ok', 'mail goes to its address'],
    ['mx', { mx: [''] }, 'warning', 'takes no mail (null MX)'],
    ['mx', { mx: null }, 'warning', 'the DNS did not answer'],
    ['spf', { spf: { state: 'none' } }, 'warning', 'has no SPF record'],
    ['spf', { spf: { state: 'unknown' } }, 'warning', 'the DNS did not answer'],
    ['spf', { spf: { state: 'broken', why: 'is odd' } }, 'failed', 'the SPF record is odd'],
    ['spf', { spf: spfOf({ all: '+' }) }, 'warning', 'lets everybody send'],
    ['spf', { relays: away }, 'warning', 'does not cover mail.example.net'],
    ['spf', { relays: google }, 'warning', 'does not cover smtp.gmail.com'],
    [
      'spf',
      { relays: google, spf: spfOf({ all: '-' }) },
      'failed',
      'does not cover smtp.gmail.com',
    ],
    ['spf', { relays: google, spf: spfOf({ includes: ['_spf.google.com'] }) }, 'ok', 'covers'],
    ['spf', { relays: here }, 'ok', 'it must name the public address'],
    ['dkim', { dkim: [] }, 'ok', 'signing is left to mail.example.net'],
    ['dkim', { dkim: [], relays: here }, 'warning', 'no key signs for example.com here'],
    ['dkim', { dkim: [{ key, found: 'missing', signs: false }] }, 'warning', 'is not in the DNS'],
    ['dkim', { dkim: [{ key, found: 'missing', signs: true }] }, 'failed', 'signatures are wrong'],
    ['dkim', { dkim: [{ key, found: 'other', signs: true }] }, 'failed', 'is another record'],
    ['dkim', { dkim: [{ key, found: 'found', signs: false }] }, 'warning', 'its key does not sign'],
    ['dkim', { dkim: [{ key, found: 'unknown', signs: true }] }, 'warning', 'did not answer'],
    ['dmarc', { dmarc: { name: 'x', records: null } }, 'warning', 'did not answer'],
    ['dmarc', { dmarc: { name: 'x', records: [] } }, 'warning', 'has no DMARC record'],
    ['dmarc', { dmarc: { name: 'x', records: ['v=DMARC1', 'v=DMARC1'] } }, 'failed', '2 DMARC'],
    ['dmarc', { dmarc: { name: 'x', records: ['v=DMARC1; p=maybe'] } }, 'failed', 'no policy'],
    ['dmarc', {}, 'ok', 'DKIM and SPF vouch for example.com; mail that fails is refused'],
    ['dmarc', { dkim: [] }, 'ok', 'SPF vouch for example.com'],
    ['dmarc', { relays: away }, 'ok', 'DKIM vouch for example.com'],
    ['dmarc', { dkim: [], relays: away }, 'warning', 'depends on the mail server'],
  ])('about %s given %o is %s', (check, parts, status, words) => {
    const found = adviseDomain({ ...good, ...parts }).filter((finding) => finding.check === check)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ domain: 'example.com', status })
    expect(found[0]?.detail).toContain(words)
    if (status !== 'ok') expect(found[0]?.next).not.toBeNull()
  })

  test('names the record to copy where one is missing', () => {
    const missing = adviseDomain({
      ...good,
      relays: [...google, ...here, relay('2001:db8::1'), relay('mail.example.net')],
      spf: { state: 'none' },
      dkim: [{ key, found: 'missing', signs: false }],
      dmarc: { name: '_dmarc.example.com', records: [] },
    })
    expect(missing.map(({ record }) => record).filter((record) => record !== null)).toEqual([
      {
        name: 'example.com',
        type: 'TXT',
        value:
          'v=spf1 include:_spf.google.com ip4:PUBLIC_ADDRESS ip6:2001:db8::1 ' +
          'a:mail.example.net ~all',
      },
      dkimRecord(key),
      { name: '_dmarc.example.com', type: 'TXT', value: 'v=DMARC1; p=none' },
    ])
  })

  test('takes the policy for subdomains from the domain above', () => {
    const dmarc = { name: '_dmarc.example.com', records: ['v=DMARC1; p=reject; sp=none'] }
    const below = { ...good, domain: 'login.example.com', dmarc, dkim: [], relays: away }
    const detail = adviseDomain(below).find(({ check }) => check === 'dmarc')?.detail
    expect(detail).toContain('mail that fails is only reported')
  })

  test('reads each From domain once, and its policy from the domain above it', async () => {
    const app = appWith({ email: { from: 'codes@login.example.com', host: 'mail.example.net' } })
    const [first] = mailServersOf(app)
    if (!first) throw new Error('the app has no endpoint')
    const second = endpointOf(app, { ...first.settings, host: 'mail.lan' }, undefined, 'second')
    const other = endpointOf(app, { ...first.settings, from: 'a@example.org' }, undefined, 'other')
    const zone = {
      'mx login.example.com': ['mx.example.com'],
      'mx example.org': ['.'],
      'txt login.example.com': ['v=spf1 ip4:198.41.0.4 -all'],
      'addresses mail.example.net': ['198.41.0.4'],
      'txt _dmarc.example.com': ['v=DMARC1; p=quarantine', 'unrelated'],
    }
    const dns = dnsOf(zone)

    const findings = await adviseMailDns({ dns }, { ...app, endpoints: [first, second, other] })

    expect(findings.map(({ domain, check, status }) => `${domain} ${check} ${status}`)).toEqual([
      'login.example.com mx ok',
      'login.example.com spf ok',
      'login.example.com spf ok',
      'login.example.com dkim warning',
      'login.example.com dmarc warning',
      'example.org mx warning',
      'example.org spf warning',
      'example.org dkim ok',
      'example.org dmarc warning',
    ])
    expect(dns.asked.filter((question) => question === 'mx login.example.com')).toHaveLength(1)
    expect(dns.asked).not.toContain('txt _dmarc.com')
  })
})
