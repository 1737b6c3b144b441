import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  isAnswerTo,
  type Question,
  questionOf,
  type RecordType,
  recordsOf,
} from '../../src/channels/dns-message.ts'

function ask<Type extends RecordType>(type: Type, name = 'mail.example.com'): Question<Type> {
  const question = questionOf(type, name)
  if (!question) throw new Error(name)
  return question
}

/** An answer with these records, each `[type, data]`, all of the name that was asked for. */
function answer({ bytes, end }: Question, records: [number, number[]][], code = 0): Buffer {
  const head = Buffer.from(bytes.subarray(0, 12))
  head.writeUInt16BE(0x8180 | code, 2)
  head.writeUInt16BE(records.length, 6)
  head.writeUInt16BE(0, 10)
  const parts = records.map(([type, data]) =>
    Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length, ...data]),
  )
  return Buffer.concat([head, bytes.subarray(12, end), ...parts])
}

const bytesOf = (text: string) => [text.length, ...Buffer.from(text)]

describe('an answer', () => {
  test('has addresses as text, IPv6 in its shortest form', () => {
    const [a, aaaa] = [ask('a'), ask('aaaa')]
    const long = [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 7]

    expect(recordsOf(answer(a, [[1, [192, 0, 2, 7]]]), a)).toEqual(['192.0.2.7'])
    expect(recordsOf(answer(aaaa, [[28, long]]), aaaa)).toEqual(['2001:db8::7'])
    const mapped = [...Array<number>(10).fill(0), 255, 255, 127, 0, 0, 1]
    expect(recordsOf(answer(aaaa, [[28, mapped]]), aaaa)).toEqual(['::ffff:7f00:1'])
  })

  test('has the addresses that the alias of a name leads to', () => {
    const question = ask('a')
    const alias = [...bytesOf('localhost'), 0]

    const records = answer(question, [
      [5, alias],
      [1, [127, 0, 0, 1]],
    ])
    expect(recordsOf(records, question)).toEqual(['127.0.0.1'])
  })

  test('has mail hosts whose names go on elsewhere in the message', () => {
    const question = ask('mx')
    // "first" and then the name of the question from its second label on.
    const first = [0, 5, ...bytesOf('first'), 0xc0, 17]

    const read = recordsOf(answer(question, [[15, first]]), question)
    expect(read).toEqual([{ preference: 5, host: 'first.example.com' }])
    expect(recordsOf(answer(question, [[15, [0, 0, 0]]]), question)).toEqual([
      { preference: 0, host: '' },
    ])
  })

  test('with a name that goes round in circles, or is none, is no answer', () => {
    const question = ask('mx')
    const start = question.end + 12
    for (const name of [
      [0xc0, start + 2],
      [1, 97, 0xc0, start + 2],
      [0xff, 0xff],
      [...bytesOf('a b'), 0],
    ]) {
      expect(recordsOf(answer(question, [[15, [0, 1, ...name]]]), question)).toBeNull()
    }
  })

  test('with an address of a wrong length is no answer', () => {
    const question = ask('a')
    for (const data of [[], [127, 0, 1], [127, 0, 0, 1, 0]]) {
      expect(recordsOf(answer(question, [[1, data]]), question)).toBeNull()
    }
  })

  test('that says so has no records; one that failed is told from it', () => {
    const question = ask('txt')
    const read = (code: number) => recordsOf(answer(question, [], code), question)

    expect([read(0), read(3)]).toEqual([[], []])
    expect([read(2), read(5)]).toEqual([null, null])
    expect([read(1), read(4)]).toEqual(['ask_plainly', 'ask_plainly'])
  })

  test('is read without an exception, whatever its bytes', () => {
    const types = fc.constantFrom<RecordType>('a', 'aaaa', 'mx', 'txt')
    fc.assert(
      fc.property(types, fc.uint8Array({ maxLength: 600 }), (type, tail) => {
        const question = ask(type)
        const head = Buffer.from(question.bytes.subarray(0, question.end))
        head.writeUInt16BE(0x8180, 2)
        head.writeUInt16BE(3, 6)
        const message = Buffer.concat([head, tail])
        const records = recordsOf(message, question)
        return isAnswerTo(message, question) && (records === null || Array.isArray(records))
      }),
      { numRuns: 2_000 },
    )
  })
})
