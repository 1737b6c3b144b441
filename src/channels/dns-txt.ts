import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Timers } from '../domain/ports.ts'

/** A name server: `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. */
type Place = { address: string; port: number }

const tryMs = 2_000
const triesMax = 2
/** The longest answer over UDP that is asked for; a longer one comes over TCP. */
const udpMax = 1_232
const [txtType, optType] = [16, 41]

/**
 * Asks name servers for TXT records (RFC 1035), each with its strings joined. The runtime's own
 * resolver gives every string of a record as a record, so that a long one cannot be told from two.
 * Empty when there are none; null when no server answers.
 */
export async function queryTxt(
  name: string,
  servers: string[],
  timers: Timers,
): Promise<string[] | null> {
  const question = questionOf(name)
  if (question === null) return []
  for (let tries = 0; tries < triesMax; tries++) {
    for (const server of servers) {
      const place = placeOf(server)
      const short = await overUdp(question, place, timers)
      const answer = short && isCut(short) ? await overTcp(question, place, timers) : short
      const records = answer && read(answer, question)
      if (records) return records
    }
  }
  return null
}

function placeOf(server: string): Place {
  const [, inner, port] = /^\[(.*)\](?::(\d+))?$/.exec(server) ?? []
  if (inner !== undefined) return { address: inner, port: Number(port ?? 53) }
  if (isIPv6(server)) return { address: server, port: 53 }
  const [address = '', plainPort] = server.split(':')
  return { address, port: Number(plainPort ?? 53) }
}

/** A question with a random id, for recursion, with room for long answers; null for no name. */
function questionOf(name: string): Buffer | null {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  if (labels.some(({ length }) => length < 1 || length > 63) || name.length > 253) return null
  const head = Buffer.alloc(12)
  crypto.getRandomValues(head.subarray(0, 2))
  head.writeUInt16BE(0x0100, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(1, 10)
  const path = labels.flatMap((label) => [Buffer.from([label.length]), label])
  const end = Buffer.from([0, 0, txtType, 0, 1])
  const room = Buffer.from([0, 0, optType, udpMax >> 8, udpMax & 255, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([head, ...path, end, room])
}

/** The bytes of the name, type and class of a question. */
function asked(question: Buffer): Buffer {
  return question.subarray(12, question.length - 11)
}

function isCut(answer: Buffer): boolean {
  return ((answer[2] ?? 0) & 0x02) !== 0
}

function isAnswer(answer: Buffer, question: Buffer): boolean {
  const end = 12 + asked(question).length
  return (
    answer.length >= end &&
    answer.readUInt16BE(0) === question.readUInt16BE(0) &&
    ((answer[2] ?? 0) & 0x80) !== 0 &&
    answer.subarray(12, end).toString('latin1').toLowerCase() ===
      asked(question).toString('latin1').toLowerCase()
  )
}

function overUdp(question: Buffer, place: Place, timers: Timers): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(place.address) ? 'udp6' : 'udp4')
    const end = (answer: Buffer | null) => {
      cancelLate()
      socket.removeAllListeners('message')
      socket.close()
      resolve(answer)
    }
    const cancelLate = timers.after(tryMs, () => end(null))
    socket.once('error', () => end(null))
    socket.on('message', (message: Buffer, from) => {
      if (from.port === place.port && isAnswer(message, question)) end(message)
    })
    socket.send(question, place.port, place.address)
  })
}

function overTcp(question: Buffer, place: Place, timers: Timers): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: place.address, port: place.port })
    let received = Buffer.alloc(0)
    const end = (answer: Buffer | null) => {
      cancelLate()
      socket.destroy()
      resolve(answer)
    }
    const cancelLate = timers.after(tryMs, () => end(null))
    socket.on('error', () => end(null))
    socket.on('close', () => end(null))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const answer = received.subarray(2, 2 + received.readUInt16BE(0))
      end(isAnswer(answer, question) ? answer : null)
    })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(question.length)
    socket.write(Buffer.concat([length, question]))
  })
}

/** The records of an answer; null for one that is a failure or malformed. */
function read(answer: Buffer, question: Buffer): string[] | null {
  const code = (answer[3] ?? 0) & 0x0f
  if (code === 3) return []
  if (code !== 0) return null
  try {
    const records: string[] = []
    let at = 12 + asked(question).length
    for (let left = answer.readUInt16BE(6); left > 0; left--) {
      at = afterName(answer, at)
      const [type, length] = [answer.readUInt16BE(at), answer.readUInt16BE(at + 8)]
      const data = answer.subarray(at + 10, at + 10 + length)
      if (data.length < length) return null
      if (type === txtType) records.push(joined(data))
      at += 10 + length
    }
    return records
  } catch {
    // Beyond the end of the answer.
    return null
  }
}

function afterName(message: Buffer, start: number): number {
  let at = start
  for (;;) {
    const length = message.readUInt8(at)
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += 1 + length
  }
}

function joined(data: Buffer): string {
  let text = ''
  for (let at = 0; at < data.length; at += 1 + (data[at] ?? 0)) {
    text += data.subarray(at + 1, at + 1 + (data[at] ?? 0)).toString('latin1')
  }
  return text
}
