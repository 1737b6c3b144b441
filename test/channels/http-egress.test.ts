import { afterAll, describe, expect, test } from 'bun:test'
import { createServer, isIP } from 'node:net'
import fc from 'fast-check'
import { createDns } from '../../src/channels/dns.ts'
import { createHttpEgress, createReach } from '../../src/channels/http-egress.ts'
import { createHttpOut } from '../../src/channels/http-out.ts'
import { createRanges, isPublicAddress } from '../../src/channels/public-address.ts'
import { systemTimers } from '../../src/system.ts'
import { dnsServer } from '../support/dns.ts'

const closers: (() => unknown)[] = []
afterAll(() => {
  for (const close of closers) close()
})

type Parts = { addresses?: string[] | null; allow?: string[]; hosts?: string }

/** The egress where every name has these addresses. */
function egressWith({ addresses = ['8.8.8.8'], allow = [], hosts = '' }: Parts = {}) {
  const egress = createHttpEgress({
    dns: { addresses: async () => addresses },
    allow,
    readHosts: () => hosts,
  })
  return async (text: string) => {
    const url = URL.parse(text)
    return url ? egress(url) : 'no_url'
  }
}

/** Hosts that lead inside, or that are no host; whatever the DNS says of them. */
const inside = [
  ...['127.0.0.1', '127.1', '127.0.1', '2130706433', '0x7f.1', '0x7f000001', '017700000001'],
  ...['0177.0.0.1', '①②⑦.⓪.⓪.①', '１２７.０.０.１', '127。0。0。1', '0', '0.0.0.0', '0x0'],
  ...[
    '[::1]',
    '[::]',
    '[0:0:0:0:0:0:0:1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
  ],
  ...['[64:ff9b::7f00:1]', '[64:ff9b:1::1]', '[2002:7f00:1::]', '[2001::1]', '[fd00:ec2::254]'],
  ...['[fe80::1]', '[fe80::1%25eth0]', '[fec0::1]', '[ff02::1]', '[4000::1]', '[::ffff:808:808]'],
  ...['localhost', 'localhost.', 'LOCALHOST', 'ⓛocalhost', 'app.localhost', 'loc%61lhost'],
  ...['169.254.169.254', '10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', '198.18.0.1'],
  ...['metadata.google.internal', 'printer.local', 'router.home.arpa', 'mail', 'mail.', 'mail.lan'],
  ...['user@127.0.0.1', 'user@api.acme.test', 'user:pass@api.acme.test', '@localhost', ':@0'],
  ...['api.acme.test.', 'a b.acme.test', '.acme.test', 'a..acme.test', '-', '', '255.255.255.255'],
]

describe('a URL', () => {
  test.each(inside)('leads nowhere, whatever the DNS says: https://%s/', async (host) => {
    const found = await egressWith()(`https://${host}/`)

    expect(found === 'not_public' || found === 'no_url').toBe(true)
  })

  test('of a public name leads to all its addresses, on the name', async () => {
    const addresses = ['8.8.8.8', '2606:4700::1111']
    const egress = egressWith({ addresses })

    const host = 'api.acme.test'
    expect(await egress('https://API.acme.test/x?y#z')).toEqual({
      ...{ isTls: true, host, port: 443, addresses },
    })
    expect(await egress('https://api.acme.test:8443/')).toMatchObject({ port: 8443 })
    expect(await egress('https://bücher.acme.test/')).toMatchObject({
      host: 'xn--bcher-kva.acme.test',
    })
  })

  test.each(inside)(
    'is told to lead nowhere without the DNS, unless it may within a range: %s',
    (host) => {
      const url = `https://${host}/`
      expect(createReach([])(url)).toBe(false)
      // With a range a name may lead into it; an address leads where it says.
      const isRange = createReach(['10.0.0.0/8'])(url)
      const name = URL.parse(url)?.hostname ?? ''
      const isName = isIP(name.replace(/^\\[|\\]$/g, '')) === 0 && name !== ''
      expect(isRange && !isName && name !== '10.0.0.1').toBe(false)
    },
  )

  test('is told to lead somewhere where it may', () => {
    const reach = createReach(['10.1.0.0/16'])
    for (const url of ['http://10.1.2.3:99/', 'http://gateway/', 'https://8.8.8.8/']) {
      expect(reach(url)).toBe(true)
    }
    expect(createReach([])('https://api.acme.test:8443/x')).toBe(true)
    for (const url of ['', 'x', 'http://api.acme.test/', 'https://api.acme.test:25/']) {
      expect(createReach([])(url)).toBe(false)
    }
  })

  test('with a name that is known inside only is not looked up outside', async () => {
    const asked: string[] = []
    const addresses = async (name: string) => {
      asked.push(name)
      return ['8.8.8.8']
    }
    const egress = createHttpEgress({ dns: { addresses }, allow: [], readHosts: () => '' })

    for (const host of ['gateway', 'sms.corp', 'localhost', 'api.acme.test']) {
      await egress(new URL(`https://${host}/`))
    }
    expect(asked).toEqual(['api.acme.test'])
  })

  test('of a public address leads there, and no DNS is asked', async () => {
    const egress = egressWith({ addresses: null })

    for (const [host, address] of [
      ['8.8.8.8', '8.8.8.8'],
      ['[2606:4700::1111]', '2606:4700::1111'],
      ['134744072', '8.8.8.8'],
    ] as const) {
      const found = { isTls: true, host: address, port: 443, addresses: [address] }
      expect(await egress(`https://${host}/`)).toEqual(found)
    }
  })

  test('whose name has one address that is not public leads nowhere', async () => {
    for (const address of ['10.0.0.1', '::1', '::ffff:10.0.0.1', '169.254.169.254', 'x']) {
      for (const addresses of [['8.8.8.8', address], [address, '8.8.8.8'], [address]]) {
        expect(await egressWith({ addresses })('https://api.acme.test/')).toBe('not_public')
      }
    }
  })

  test('whose name the DNS does not know, or does not answer for, is told from these', async () => {
    for (const addresses of [[], null]) {
      expect(await egressWith({ addresses })('https://api.acme.test/')).toBe('unknown_host')
    }
  })

  test('is https on two ports', async () => {
    const egress = egressWith()
    for (const url of [
      'http://api.acme.test/',
      'http://api.acme.test:443/',
      'https://api.acme.test:25/',
      'https://api.acme.test:80/',
      'https://8.8.8.8:6379/',
      'ftp://api.acme.test/',
      'file:///etc/passwd',
      'data:text/plain,x',
      'unix:/run/docker.sock',
    ]) {
      expect(await egress(url)).toBe('not_public')
    }
  })
})

describe('an allowed range', () => {
  const allow = ['127.0.0.0/8', '10.1.0.0/16', 'fd00:1::/32']

  test('may be reached by http and https, on any port, by address or by any name', async () => {
    const egress = egressWith({ addresses: ['10.1.2.3'], allow })
    for (const [host, address] of [
      ['127.0.0.1', '127.0.0.1'],
      ['10.1.2.3', '10.1.2.3'],
      ['[fd00:1::7]', 'fd00:1::7'],
      ['gateway', '10.1.2.3'],
      ['gateway.corp', '10.1.2.3'],
      ['gateway.acme.test', '10.1.2.3'],
    ] as const) {
      for (const scheme of ['http', 'https']) {
        const found = await egress(`${scheme}://${host}:3000/`)
        expect(found).toMatchObject({ port: 3000, addresses: [address], isTls: scheme === 'https' })
      }
    }
    expect(await egress('http://gateway/')).toMatchObject({ port: 80 })
  })

  test('opens nothing beside it', async () => {
    const besides = ['10.2.0.1', '169.254.169.254', '192.168.0.1', '[::1]', '[::ffff:127.0.0.1]']
    for (const host of besides) {
      expect(await egressWith({ allow })(`http://${host}/`)).toBe('not_public')
      expect(await egressWith({ allow })(`https://${host}/`)).toBe('not_public')
    }
    for (const addresses of [['10.1.0.1', '10.2.0.1'], ['10.2.0.1']]) {
      expect(await egressWith({ addresses, allow })('https://api.acme.test/')).toBe('not_public')
    }
    for (const url of ['http://8.8.8.8/', 'http://8.8.8.8:443/', 'http://api.acme.test:443/']) {
      expect(await egressWith({ allow })(url)).toBe('not_public')
    }
  })

  test('lets no address beside it be reached without encryption or at other ports', async () => {
    const egress = egressWith({ addresses: ['8.8.8.8', '10.1.0.1'], allow })

    expect(await egress('https://api.acme.test/')).toMatchObject({ port: 443 })
    expect(await egress('http://api.acme.test/')).toBe('not_public')
    expect(await egress('https://api.acme.test:25/')).toBe('not_public')
    expect(await egress('https://gateway/')).toBe('not_public')
  })

  test('that is public may be reached without encryption too', async () => {
    const egress = egressWith({ addresses: ['8.8.8.8'], allow: ['8.8.8.0/24'] })

    expect(await egress('http://api.acme.test:8080/')).toMatchObject({ isTls: false, port: 8080 })
  })

  const hosts = [
    '127.0.0.1 localhost # the machine',
    '::1 localhost ip6-localhost',
    '  10.1.0.9\tGateway.corp gateway',
    '10.2.0.9 elsewhere.acme.test',
    '#10.1.0.8 gone',
  ].join('\n')

  test('makes the names of /etc/hosts count, where these lead into it', async () => {
    const egress = egressWith({ addresses: ['8.8.8.8'], allow, hosts })

    expect(await egress('http://localhost:3000/')).toMatchObject({ addresses: ['127.0.0.1'] })
    expect(await egress('http://gateway/')).toMatchObject({ addresses: ['10.1.0.9'] })
    expect(await egress('http://GATEWAY.CORP/')).toMatchObject({ addresses: ['10.1.0.9'] })
    // The others are as if they were not there.
    expect(await egress('http://gone/')).toBe('not_public')
    expect(await egress('https://elsewhere.acme.test/')).toMatchObject({ addresses: ['8.8.8.8'] })
    const without = egressWith({ addresses: ['8.8.8.8'], hosts })
    expect(await without('https://localhost/')).toBe('not_public')
    expect(await without('https://gateway.corp/')).toBe('not_public')
  })
})

/** Counts connections to a server inside. */
async function internalServer(address: string) {
  const seen = { connections: 0 }
  const server = createServer((socket) => {
    seen.connections++
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret')
  })
  await new Promise<void>((done) => server.listen(0, address, done))
  closers.push(() => server.close())
  const listening = server.address()
  return { seen, port: typeof listening === 'object' && listening ? listening.port : 0 }
}

describe('a server inside is not reached', () => {
  test('by a name whose address changes between the question and the connection', async () => {
    const internal = await internalServer('127.0.0.2')
    // The same port at the address that the first answers have.
    const outside = createServer((socket) => {
      const head = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close'
      socket.once('data', () => socket.end(`${head}\r\n\r\npublic`))
    })
    await new Promise<void>((done) => outside.listen(internal.port, '127.0.0.1', done))
    closers.push(() => outside.close())
    const zone = { 'a rebind.acme.test': ['127.0.0.1'] }
    const server = await dnsServer(zone)
    closers.push(server.close)
    const real = createDns({ timers: systemTimers, servers: [server.address] })
    const dns = {
      async addresses(name: string) {
        const addresses = await real.addresses(name)
        // Whoever asks again is told another address.
        zone['a rebind.acme.test'] = ['127.0.0.2']
        return addresses
      },
    }
    const http = createHttpOut({ timers: systemTimers, dns, egressAllow: ['127.0.0.1/32'] })
    const url = `http://rebind.acme.test:${internal.port}/`

    expect(await http({ method: 'GET', url })).toMatchObject({ status: 200, body: 'public' })
    for (let times = 0; times < 3; times++) {
      const answer = await http({ method: 'GET', url })
      expect(answer).toEqual({ fault: 'not_public', isSent: false })
    }
    expect(internal.seen.connections).toBe(0)
  })

  test('by an alias, by one address of several, or by IPv4 in IPv6', async () => {
    const internal = await internalServer('127.0.0.1')
    const zone = {
      'cname alias.acme.test': ['localhost'],
      'a localhost': ['127.0.0.1'],
      'a several.acme.test': ['8.8.8.8', '127.0.0.1'],
      'aaaa mapped.acme.test': ['::ffff:127.0.0.1'],
      'aaaa nat64.acme.test': ['64:ff9b::127.0.0.1'],
      'a plain.acme.test': ['127.0.0.1'],
    }
    const server = await dnsServer(zone)
    closers.push(server.close)
    const dns = createDns({ timers: systemTimers, servers: [server.address] })
    expect(await dns.addresses('alias.acme.test')).toEqual(['127.0.0.1'])
    for (const egressAllow of [[], ['10.0.0.0/8']]) {
      const http = createHttpOut({ timers: systemTimers, dns, egressAllow })
      for (const name of ['alias', 'several', 'mapped', 'nat64', 'plain']) {
        for (const scheme of ['http', 'https']) {
          const url = `${scheme}://${name}.acme.test:${internal.port}/`
          const answer = await http({ method: 'GET', url })
          expect(answer).toEqual({ fault: 'not_public', isSent: false })
          const common = await http({ method: 'GET', url: `${scheme}://${name}.acme.test/` })
          expect(common).toEqual({ fault: 'not_public', isSent: false })
        }
      }
    }
    expect(internal.seen.connections).toBe(0)
  })
})

describe('whether an address is in a range', () => {
  const v4 = fc.integer({ min: 0, max: 0xffff_ffff }).map((number) => number >>> 0)
  const text4 = (number: number) =>
    [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')
  const v6 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })
  const text6 = (number: bigint) =>
    Array.from({ length: 8 }, (_, group) =>
      ((number >> BigInt(112 - 16 * group)) & 0xffffn).toString(16),
    ).join(':')

  test('follows from their first bits', () => {
    fc.assert(
      fc.property(v4, v4, fc.integer({ min: 1, max: 32 }), (range, address, bits) => {
        // Addresses near the range, as well as far from it.
        for (const near of [address, (range ^ (address >>> bits)) >>> 0]) {
          const isIn = range >>> (32 - bits) === near >>> (32 - bits)
          const within = createRanges([`${text4(range)}/${bits}`])
          expect(within(text4(near))).toBe(isIn)
        }
      }),
    )
    fc.assert(
      fc.property(v6, v6, fc.integer({ min: 1, max: 128 }), (range, address, bits) => {
        const rest = BigInt(128 - bits)
        for (const near of [address, range ^ (address >> BigInt(bits))]) {
          const within = createRanges([`${text6(range)}/${bits}`])
          expect(within(text6(near))).toBe(range >> rest === near >> rest)
        }
      }),
    )
  })

  test('is said of no address of the other kind, and of no other text', () => {
    const all = createRanges(['0.0.0.0/0'])
    expect(createRanges(['fe80::/10'])('fe80::1%eth0')).toBe(false)
    fc.assert(fc.property(v6, (address) => !all(text6(address))))
    fc.assert(fc.property(v4, (address) => !createRanges(['::/0'])(text4(address))))
    const texts = fc.oneof(fc.string(), fc.webUrl(), fc.domain())
    fc.assert(fc.property(texts, (text) => !all(text) || /^\d+\.\d+\.\d+\.\d+$/.test(text)))
  })

  test('IPv4 within IPv6 is never public, whatever the address', () => {
    const forms: ((number: bigint) => bigint)[] = [
      (number) => number,
      (number) => (0xffffn << 32n) | number,
      (number) => (0x64_ff9bn << 96n) | number,
      (number) => (0x2002n << 112n) | (number << 80n),
    ]
    fc.assert(
      fc.property(v4, fc.constantFrom(...forms), (address, form) => {
        expect(isPublicAddress(text6(form(BigInt(address))))).toBe(false)
      }),
    )
  })

  test('decides alone whether a request to it is made', async () => {
    const hosts = fc.oneof(
      v4.map(text4),
      v6.map((number) => `[${text6(number)}]`),
    )
    await fc.assert(
      fc.asyncProperty(hosts, async (host) => {
        const url = `https://${host}/`
        const address = new URL(url).hostname.replace(/^\[|\]$/g, '')
        const found = await egressWith()(url)
        expect(found === 'not_public').toBe(!isPublicAddress(address))
        if (typeof found === 'object') expect(found.addresses).toEqual([address])
      }),
    )
  })
})
