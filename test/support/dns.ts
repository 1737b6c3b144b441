import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Dns } from '../../src/domain/ports.ts'

/** Records by type and name, as `txt example.com`; null is no answer. */
export type Zone = Record<string, string[] | null>

/** A DNS with these records and no others; a test may change them. */
export function dnsOf(zone: Zone = {}): Dns & { zone: Zone; asked: string[] } {
  const asked: string[] = []
  const ask = (type: string) => async (name: string) => {
    asked.push(`${type} ${name}`)
    const records = zone[`${type} ${name}`]
    return records === undefined ? [] : records
  }
  return { zone, asked, txt: ask('txt'), mx: ask('mx'), addresses: ask('addresses') }
}

/** The records in the form of `dns.promises.resolve`, for mailauth. */
export function resolverOf(zone: Zone) {
  return async (name: string, type: string): Promise<string[] | string[][]> => {
    const records = zone[`${type.toLowerCase()} ${name}`]
    if (!records) throw Object.assign(new Error(`${type} ${name}`), { code: 'ENOTFOUND' })
    return type === 'TXT' ? records.map((text) => [text]) : records
  }
}

const types: Record<number, string> = {
  1: 'a',
  5: 'cname',
  12: 'ptr',
  15: 'mx',
  16: 'txt',
  28: 'aaaa',
}

export type DnsServer = { address: string; port: number; asked: string[]; close(): void }

/** The longest answer over UDP, as the question of our own client allows it. */
const udpMax = 1_232

/**
 * A name server on loopback (RFC 1035, over UDP and TCP). Names are looked up in the zone as `txt NAME`,
 * `mx NAME`, `a NAME`, `aaaa NAME` and `ptr NAME`, where `cname NAME` has no other name; null is never
 * answered, and an unknown name does not exist.
 */
export async function dnsServer(
  zone: Zone,
  { address = '127.0.0.1', port = 0 } = {},
): Promise<DnsServer> {
  const asked: string[] = []
  const reply = (question: Buffer, isShort: boolean): Buffer | null => {
    const { name, type, end } = readQuestion(question)
    const key = `${types[type] ?? type} ${name}`
    asked.push(key)
    const [alias] = zone[`cname ${name}`] ?? []
    const records = zone[alias === undefined ? key : `${types[type]} ${alias}`]
    if (records === null) return null
    const answers = (records ?? []).map((text) => answerOf(type, text))
    if (alias !== undefined) answers.unshift(answerOf(5, alias))
    const isKnown = Object.keys(zone).some((known) => known.endsWith(` ${name}`))
    const header = Buffer.alloc(12)
    question.copy(header, 0, 0, 2)
    header.writeUInt16BE(isKnown ? 0x8580 : 0x8583, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(answers.length, 6)
    const whole = Buffer.concat([header, question.subarray(12, end), ...answers])
    if (!isShort || whole.length <= udpMax) return whole
    header.writeUInt16BE(header.readUInt16BE(2) | 0x0200, 2)
    header.writeUInt16BE(0, 6)
    return Buffer.concat([header, question.subarray(12, end)])
  }
  const { socket, server } = await onOnePort(reply, address, port)
  const bound = socket.address().port
  return {
    address: `${address}:${bound}`,
    port: bound,
    asked,
    close: () => {
      socket.close()
      server.close()
    },
  }
}

const portsMax = 50

/** Listens on one port over UDP and TCP; another port is chosen when one of the two is in use. */
async function onOnePort(
  reply: (question: Buffer, isShort: boolean) => Buffer | null,
  address: string,
  port: number,
) {
  for (let tries = 1; ; tries++) {
    const socket = createSocket('udp4')
    const server = createServer((client) => {
      client.on('error', () => {})
      client.on('data', (framed) => {
        const answer = reply(Buffer.from(framed).subarray(2), false)
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer?.length ?? 0)
        if (answer) client.write(Buffer.concat([length, answer]))
      })
    })
    socket.on('message', (question, from) => {
      const answer = reply(question, true)
      if (answer) socket.send(answer, from.port, from.address)
    })
    try {
      await new Promise<void>((done, fail) => {
        socket.once('error', fail).bind(port, address, done)
      })
      const { port: bound } = socket.address()
      await new Promise<void>((done, fail) => {
        server.once('error', fail).listen(bound, address, done)
      })
      return { socket, server }
    } catch (error) {
      socket.close()
      server.close()
      if (port !== 0 || tries === portsMax) throw error
    }
  }
}

function readQuestion(message: Buffer) {
  const labels: string[] = []
  let at = 12
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.subarray(at + 1, at + 1 + length).toString('latin1'))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 }
}

/** One record, whose name is that of the question. */
function answerOf(type: number, text: string): Buffer {
  const data = dataOf(type, text)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(type, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(60, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function dataOf(type: number, text: string): Buffer {
  if (type === 1) return Buffer.from(text.split('.').map(Number))
  if (type === 28) {
    const parts = ipaddr.IPv6.parse(text).toByteArray()
    return Buffer.from(parts)
  }
  const strings = (list: string[]) =>
    Buffer.concat(list.map((part) => Buffer.from([part.length, ...Buffer.from(part, 'latin1')])))
  if (type === 16) return strings(text.match(/.{1,255}/g) ?? [''])
  const domain = (name: string) =>
    Buffer.concat([strings(name === '.' ? [] : name.split('.')), Buffer.from([0])])
  if (type === 12 || type === 5) return domain(text)
  // `10 mail.example.com` of an MX record.
  const [preference = '0', host = ''] = text.split(' ')
  const number = Buffer.alloc(2)
  number.writeUInt16BE(Number(preference))
  return Buffer.concat([number, domain(host)])
}
