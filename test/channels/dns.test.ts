import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { createDns } from '../../src/channels/dns.ts'
import { systemTimers } from '../../src/system.ts'
import { type DnsServer, dnsServer } from '../support/dns.ts'
import { quickTimers } from './mail-fixtures.ts'

const long = `v=DKIM1; k=rsa; p=${'A'.repeat(392)}`
const zone = {
  'txt key.example.com': [long],
  'txt huge.example.com': Array.from({ length: 9 }, (_, index) => `${index}${'B'.repeat(300)}`),
  'txt many.example.com': ['one', 'two; 2', ''],
  'mx example.com': ['20 second.example.com', '5 first.example.com'],
  'a mail.example.com': ['192.0.2.7', '192.0.2.8'],
  'aaaa mail.example.com': ['2001:db8::7'],
  'a half.example.com': ['192.0.2.7'],
  'aaaa half.example.com': null,
  'txt silent.example.com': null,
}
let server: DnsServer
beforeAll(async () => {
  server = await dnsServer(zone)
})
afterAll(() => server.close())

const dns = () => createDns({ timers: systemTimers, servers: [server.address] })

test('the strings of a TXT record are joined, and each record stands alone', async () => {
  expect(await dns().txt('key.example.com')).toEqual([long])
  expect((await dns().txt('many.example.com'))?.sort()).toEqual(['', 'one', 'two; 2'])
})

test('hosts of MX records come by preference, and addresses of both kinds together', async () => {
  expect(await dns().mx('example.com')).toEqual(['first.example.com', 'second.example.com'])
  const addresses = await dns().addresses('mail.example.com')
  expect(addresses?.sort()).toEqual(['192.0.2.7', '192.0.2.8', '2001:db8::7'])
})

test('a name without such a record, or without any, has none', async () => {
  expect(await dns().txt('mail.example.com')).toEqual([])
  expect(await dns().mx('nowhere.example.com')).toEqual([])
  expect(await dns().addresses('example.com')).toEqual([])
})

test('no answer is told from no record, and is waited for no longer than five seconds', async () => {
  const impatient = createDns({ timers: quickTimers(50), servers: [server.address] })
  const startedAt = performance.now()

  expect(await impatient.txt('silent.example.com')).toBeNull()
  expect(await impatient.addresses('half.example.com')).toBeNull()
  expect(performance.now() - startedAt).toBeLessThan(2_000)
})

test('what does not fit into one packet is asked for again over TCP', async () => {
  const before = server.asked.length
  expect(await dns().txt('huge.example.com')).toEqual(zone['txt huge.example.com'])
  expect(server.asked.slice(before)).toEqual(['txt huge.example.com', 'txt huge.example.com'])
})

test('a name that cannot be in the DNS is not asked for', async () => {
  const before = server.asked.length
  for (const name of ['', 'a..example.com', `${'a'.repeat(64)}.com`, 'a.'.repeat(130)]) {
    expect(await dns().txt(name)).toEqual([])
  }
  expect(server.asked.length).toBe(before)
})

test('answers of another question, failures and nonsense count as none, and the next server is asked', async () => {
  let answer = (question: Buffer): Buffer => question
  const liar = createSocket('udp4')
  liar.on('message', (question, from) => liar.send(answer(question), from.port, from.address))
  await new Promise<void>((done) => liar.bind(0, '127.0.0.1', done))
  const place = `127.0.0.1:${liar.address().port}`
  const timers = quickTimers(50)
  const only = createDns({ timers, servers: [place] })
  const changed = (change: (copy: Buffer) => void) => (question: Buffer) => {
    const copy = Buffer.concat([question, Buffer.alloc(40)])
    copy.writeUInt16BE(0x8180, 2)
    change(copy)
    return copy
  }
  const lies = [
    (question: Buffer) => question,
    () => Buffer.from('no'),
    changed((copy) => copy.writeUInt16BE(copy.readUInt16BE(0) ^ 1, 0)),
    changed((copy) => copy.write('x', 13)),
    changed((copy) => copy.writeUInt16BE(0x8182, 2)),
    changed((copy) => copy.writeUInt16BE(500, 6)),
    changed((copy) => copy.fill(255, 12 + 21).writeUInt16BE(1, 6)),
  ]
  for (const lie of lies) {
    answer = lie
    expect(await only.txt('key.example.com')).toBeNull()
  }
  const both = createDns({ timers, servers: [place, server.address] })
  expect(await both.txt('key.example.com')).toEqual([long])
  liar.close()
})

test('a server whose port is closed is passed over at once, and takes no core meanwhile', async () => {
  const gone = await dnsServer({})
  gone.close()
  const spent = process.cpuUsage()
  const startedAt = performance.now()

  const beside = createDns({ timers: systemTimers, servers: [gone.address, server.address] })
  expect(await beside.txt('key.example.com')).toEqual([long])
  const alone = createDns({ timers: systemTimers, servers: [gone.address] })
  expect(await alone.addresses('mail.example.com')).toBeNull()

  // The runtime's own resolver takes two seconds here, and two seconds of a core.
  const { user, system } = process.cpuUsage(spent)
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect((user + system) / 1_000).toBeLessThan(500)
})

test('a server that does not know long answers over UDP is asked without them', async () => {
  const plain: boolean[] = []
  const old = createSocket('udp4')
  old.on('message', (question, from) => {
    const isPlain = question.readUInt16BE(10) === 0
    plain.push(isPlain)
    const head = Buffer.from(question.subarray(0, 12))
    head.writeUInt16BE(isPlain ? 0x8180 : 0x8181, 2)
    head.writeUInt16BE(isPlain ? 1 : 0, 6)
    head.writeUInt16BE(0, 10)
    const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9, 0, 3, 2, 111, 107])
    const asked = question.subarray(12, 12 + 21)
    old.send(Buffer.concat([head, asked, ...(isPlain ? [record] : [])]), from.port, from.address)
  })
  await new Promise<void>((done) => old.bind(0, '127.0.0.1', done))
  const only = createDns({ timers: systemTimers, servers: [`127.0.0.1:${old.address().port}`] })

  expect(await only.txt('key.example.com')).toEqual(['ok'])
  expect(plain).toEqual([false, true])
  old.close()
})
