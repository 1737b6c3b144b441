import ipaddr from 'ipaddr.js'

/** What is asked for, and what a record of that type is read as. */
export type DnsRecords = { a: string; aaaa: string; mx: Mx; txt: string }
export type Mx = { preference: number; host: string }
export type RecordType = keyof DnsRecords

type Reader<Data> = {
  /** The number of the type (RFC 1035 section 3.2.2, RFC 3596). */
  type: number
  /** Reads a record whose data is from `start` to `end`; throws beyond the end. */
  read(message: Buffer, start: number, end: number): Data
}

const records: { [Type in RecordType]: Reader<DnsRecords[Type]> } = {
  a: { type: 1, read: (message, start, end) => address(message.subarray(start, end), 4) },
  aaaa: { type: 28, read: (message, start, end) => address(message.subarray(start, end), 16) },
  mx: {
    type: 15,
    read: (message, start) => ({
      preference: message.readUInt16BE(start),
      host: nameAt(message, start + 2),
    }),
  },
  txt: { type: 16, read: (message, start, end) => joined(message.subarray(start, end)) },
}

/** The longest answer over UDP that is asked for; a longer one comes over TCP. */
const udpMax = 1_232
const optType = 41
const [formatError, unknownName, notImplemented] = [1, 3, 4]

/** A question, and whether it tells that the answer may be long (EDNS, RFC 6891). */
export type Question<Type extends RecordType = RecordType> = {
  type: Type
  bytes: Buffer
  /** The end of the name, type and class. */
  end: number
}

/** A question with a random id, for recursion; null for what cannot be a name. */
export function questionOf<Type extends RecordType>(
  type: Type,
  name: string,
  { isPlain = false } = {},
): Question<Type> | null {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'))
  if (labels.some(({ length }) => length < 1 || length > 63) || name.length > 253) return null
  const head = Buffer.alloc(12)
  crypto.getRandomValues(head.subarray(0, 2))
  head.writeUInt16BE(0x0100, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(isPlain ? 0 : 1, 10)
  const path = labels.flatMap((label) => [Buffer.from([label.length]), label])
  const asked = Buffer.concat([head, ...path, Buffer.from([0, 0, records[type].type, 0, 1])])
  const room = Buffer.from([0, 0, optType, udpMax >> 8, udpMax & 255, 0, 0, 0, 0, 0, 0])
  const bytes = isPlain ? asked : Buffer.concat([asked, room])
  return { type, bytes, end: asked.length }
}

export function isAnswerTo(answer: Buffer, { bytes, end }: Question): boolean {
  const asked = (message: Buffer) => message.subarray(12, end).toString('latin1').toLowerCase()
  return (
    answer.length >= end &&
    answer.readUInt16BE(0) === bytes.readUInt16BE(0) &&
    ((answer[2] ?? 0) & 0x80) !== 0 &&
    asked(answer) === asked(bytes)
  )
}

/** The answer did not fit, and is to be asked for over TCP. */
export function isCut(answer: Buffer): boolean {
  return ((answer[2] ?? 0) & 0x02) !== 0
}

/**
 * The records of an answer; empty when there are none, null for a failure or a malformed answer.
 * `ask_plainly`: the server does not know EDNS.
 */
export function recordsOf<Type extends RecordType>(
  answer: Buffer,
  { type, end }: Question<Type>,
): DnsRecords[Type][] | 'ask_plainly' | null {
  const code = (answer[3] ?? 0) & 0x0f
  if (code === unknownName) return []
  if (code === formatError || code === notImplemented) return 'ask_plainly'
  if (code !== 0) return null
  try {
    const found: DnsRecords[Type][] = []
    let at = end
    for (let left = answer.readUInt16BE(6); left > 0; left--) {
      at = afterName(answer, at)
      const start = at + 10
      const next = start + answer.readUInt16BE(at + 8)
      if (next > answer.length) return null
      const reader: Reader<DnsRecords[Type]> = records[type]
      if (answer.readUInt16BE(at) === reader.type) found.push(reader.read(answer, start, next))
      at = next
    }
    return found
  } catch {
    // Beyond the end of the answer, or not of the form of its type.
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

/** The name at a place, which may go on elsewhere in the message; empty for the root. */
function nameAt(message: Buffer, start: number): string {
  const labels: string[] = []
  let at = start
  // No name has more labels or pointers than letters.
  for (let steps = 0; steps < 255; steps++) {
    const length = message.readUInt8(at)
    if (length === 0) return labels.join('.')
    if (length >= 0xc0) at = message.readUInt16BE(at) & 0x3fff
    else {
      const label = message.toString('latin1', at + 1, at + 1 + length)
      if (!/^[!-~]+$/.test(label)) throw new RangeError('not a host name')
      labels.push(label)
      at += 1 + length
    }
  }
  throw new RangeError('a name without an end')
}

function address(data: Buffer, length: 4 | 16): string {
  if (data.length !== length) throw new RangeError('not an address')
  return ipaddr.fromByteArray([...data]).toString()
}

function joined(data: Buffer): string {
  let text = ''
  for (let at = 0; at < data.length; at += 1 + (data[at] ?? 0)) {
    text += data.toString('latin1', at + 1, at + 1 + (data[at] ?? 0))
  }
  return text
}
