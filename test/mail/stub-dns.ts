import { createSocket } from 'node:dgram'

/** Records of a name server by `NAME TYPE`, such as `acme.test MX`. */
export type Zone = Record<string, string>

export type NameServer = { port: number; close(): Promise<void> }

const types: Record<string, number> = { A: 1, PTR: 12, MX: 15, TXT: 16, AAAA: 28 }

/**
 * A name server on a free UDP port of loopback (RFC 1035). What is not in the zone does not exist,
 * so a program that asks nobody else cannot reach the network by name.
 */
export async function stubDns(zone: Zone): Promise<NameServer> {
  const socket = createSocket('udp4')
  socket.on('message', (query, { port, address }) => {
    socket.send(answer(query, zone), port, address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  return {
    port: socket.address().port,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

/** Answers the one question of a query. */
function answer(query: Buffer, zone: Zone): Buffer {
  let at = 12
  const labels: string[] = []
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  const question = query.subarray(12, at + 5)
  const name = labels.join('.').toLowerCase()
  const [type = ''] =
    Object.entries(types).find(([, number]) => number === query.readUInt16BE(at + 1)) ?? []
  const record = zone[`${name} ${type}`]
  const exists = Object.keys(zone).some((key) => key.startsWith(`${name} `))
  const header = Buffer.alloc(12)
  query.copy(header, 0, 0, 2)
  header.writeUInt16BE(exists ? 0x8580 : 0x8583, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(record === undefined ? 0 : 1, 6)
  if (record === undefined) return Buffer.concat([header, question])
  const data = encoded(type, record)
  // A pointer to the name of the question, the type, class IN, 60 s, and the length.
  const fixed = Buffer.from([0xc0, 12, 0, types[type] ?? 0, 0, 1, 0, 0, 0, 60, 0, data.length])
  return Buffer.concat([header, question, fixed, data])
}

function encoded(type: string, record: string): Buffer {
  if (type === 'A') return Buffer.from(record.split('.').map(Number))
  // Written in full, as 32 hexadecimal digits.
  if (type === 'AAAA') return Buffer.from(record, 'hex')
  if (type === 'TXT') return counted(record)
  return Buffer.concat([Buffer.from(type === 'MX' ? [0, 10] : []), domain(record)])
}

function domain(name: string): Buffer {
  return Buffer.concat([...name.split('.').map(counted), Buffer.from([0])])
}

function counted(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')])
}
