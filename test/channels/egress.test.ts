import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createEgress } from '../../src/channels/egress.ts'
import { isPublicAddress } from '../../src/channels/public-address.ts'
import { scriptedServer } from '../support/smtp.ts'
import { appWith, openChannel } from './mail-fixtures.ts'

const records = (addresses: string[] | null) =>
  createEgress({ dns: { addresses: async () => addresses } })

const denied = [
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255'],
  ...['127.0.0.1', '127.1.2.3', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.1'],
  ...['192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.19.255.255', '198.51.100.1'],
  ...['203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...['::', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8', '::127.0.0.1'],
  ...['64:ff9b::7f00:1', '64:ff9b::808:808', '64:ff9b:1::1', '100::1', '2001::1', '2001:db8::1'],
  ...['2002:7f00:1::', '2002:808:808::1', '3fff::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1'],
  ...['fe80::1%eth0', 'fec0::1', 'ff02::1', '4000::1', '127.1', '2130706433', '0x7f.1'],
  ...['0177.0.0.1', '①②⑦.⓪.⓪.①', '0', '', 'localhost', 'x', '[::1]', '8.8.8.8/8', ' 8.8.8.8'],
]
const allowed = ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00::1']

describe('an address', () => {
  test.each(denied)('is not public: %j', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each(allowed)('is public: %s', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  test('is judged without an exception, whatever the text', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof isPublicAddress(text) === 'boolean'))
    fc.assert(fc.property(fc.ipV6(), (text) => typeof isPublicAddress(text) === 'boolean'))
  })
})

describe('a host', () => {
  const local = [
    ...['127.0.0.1', '127.1', '2130706433', '0x7f.1', '0177.0.0.1', '①②⑦.⓪.⓪.①', '0', 'ⓛocalhost'],
    ...['１２７.０.０.１', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '[::]'],
    ...['::1', 'localhost', 'localhost.', 'LOCALHOST', 'app.localhost', 'user@127.0.0.1', 'mail'],
    ...['mail.', '169.254.169.254', 'fd00:ec2::254', 'metadata.google.internal', 'printer.local'],
    ...['[fe80::1%25eth0]', 'fe80::1%eth0', '8.8.8.8', 'mail.example.com.', 'mail.example.com:25'],
    ...['mail.example.com/x', 'a b.example.com', 'mail.example.com\r\nx', '', 'router.home.arpa'],
  ]

  test.each(local)('is not public whatever its addresses: %j', async (host) => {
    expect(await records(['8.8.8.8']).reach(host)).toBe('not_public')
  })

  test('is public when all its addresses are', async () => {
    expect(await records(['8.8.8.8', '2606:4700::1111']).reach('mail.example.com')).toBe('public')
  })

  test('is not public when any one of its addresses is not', async () => {
    const { reach } = records(['8.8.8.8', '10.0.0.1'])

    expect(await reach('mail.example.com')).toBe('not_public')
    expect(await records(['8.8.8.8', '::1']).reach('mail.example.com')).toBe('not_public')
    expect(await records(['::ffff:10.0.0.1']).reach('mail.example.com')).toBe('not_public')
  })

  test('is unknown when the DNS knows no address, or does not say', async () => {
    expect(await records([]).reach('mail.example.com')).toBe('unknown')
    expect(await records(null).reach('mail.example.com')).toBe('unknown')
  })
})

describe('an openly registered app', () => {
  test('reaches no internal server when its name changes after the check', async () => {
    const internal = await scriptedServer()
    const answers = [['8.8.8.8'], ['127.0.0.1']]
    const dns = { addresses: async () => answers.shift() ?? ['127.0.0.1'] }
    const egress = createEgress({ dns })
    const email = { host: 'rebind.example.com', port: internal.port }
    const channel = openChannel({ egress })

    expect(await egress.reach(email.host)).toBe('public')
    const outcome = await channel.send(appWith({ email, registeredBy: 'open' }))

    expect(outcome).toMatchObject({ status: 'refused', cause: 'policy' })
    expect(internal.connections()).toBe(0)
    channel.close()
    internal.close()
  })

  test('cannot name an internal server by its address, while an app of the admin can', async () => {
    const internal = await scriptedServer()
    const channel = openChannel()
    const email = { host: '127.0.0.1', port: internal.port }

    const stranger = await channel.send(appWith({ id: 'b', email, registeredBy: 'open' }))
    expect(stranger).toMatchObject({ status: 'refused', cause: 'policy' })
    expect(internal.connections()).toBe(0)

    const admins = await channel.send(appWith({ email: { ...email, host: 'localhost' } }))
    expect(admins).toMatchObject({ status: 'sent' })
    channel.close()
    internal.close()
  })

  test('has its mail deferred while the DNS does not answer', async () => {
    const channel = openChannel({ egress: records(null) })
    const email = { host: 'gone.example.com' }

    const outcome = await channel.send(appWith({ email, registeredBy: 'open' }))
    expect(outcome).toMatchObject({ status: 'deferred', cause: 'network' })
    channel.close()
  })
})
