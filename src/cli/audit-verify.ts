import { auditHeadText, auditText } from '../domain/event.ts'
import type { Ports } from '../domain/ports.ts'
import { auditAnchor } from '../runtime/open.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { dataFlag, withPorts } from './open.ts'
import { printJson } from './output.ts'

export const auditVerify: Command = {
  name: 'audit verify',
  summary: 'Check that nobody edited the audit log.',
  about: [
    'Every audit record is linked to the one before it with a key that is not in the database.',
    'This walks the chain from the oldest record and names the first one that was changed, moved',
    'or follows a deleted one, and sees whether the newest are missing. Works while the server',
    'runs.',
  ].join('\n'),
  operands: [],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint audit verify'],
  run: (words, io) =>
    withPorts(words, io, async (ports) => {
      const anchor = await auditAnchor(ports)
      const { count, broken, lastId } = await walk(ports, anchor)
      if (words.has('json')) printJson(io, { records: count, broken_record: broken })
      else if (broken === null) io.out(`${count} audit records, unbroken\n`)
      else if (broken > lastId) io.out('the newest audit records are missing\n')
      else io.out(`audit record ${broken} is broken: it or the one before it was changed\n`)
      return broken === null ? exitCodes.done : exitCodes.failed
    }),
}

const batch = 500

/** How many records hold, the id of the first that does not, and of the last that is there. */
async function walk(
  { records, keyring }: Pick<Ports, 'records' | 'keyring'>,
  anchor: { id: number; link: Uint8Array },
): Promise<{ count: number; broken: number | null; lastId: number }> {
  // Read first: a record that is added meanwhile is then walked over, not missed.
  const head = await records.readFact('audit_head')
  let { id, link } = anchor
  let count = 0
  let headSeen = isHead(link) || (head === null && id === 0)
  for (;;) {
    const found = await records.auditAfter(id, batch)
    if (found.length === 0) return { count, broken: headSeen ? null : id + 1, lastId: id }
    for (const record of found) {
      const expected = keyring.auditLink(link, auditText(record))
      if (!isSame(expected, record.link)) return { count, broken: record.id, lastId: record.id }
      ;({ id, link } = record)
      headSeen = isHead(link) || (headSeen && head !== null)
      count++
    }
  }

  function isHead(last: Uint8Array): boolean {
    return head !== null && isSame(keyring.auditLink(last, auditHeadText), head)
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
