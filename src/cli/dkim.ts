import { type DkimKey, dkimFields, dkimRecord } from '../domain/app/dkim.ts'
import {
  addDkimKey,
  type CheckedKey,
  checkDkimKeys,
  removeDkimKey,
} from '../domain/app/dkim-keys.ts'
import { findApp } from '../domain/app/manage.ts'
import { presentCheckedDkim, presentDkim } from '../present.ts'
import { type Command, jsonFlag } from './command.ts'
import { readText } from './fields.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printFacts, printJson, printTable } from './output.ts'

export const dkimAdd: Command = {
  name: 'dkim add',
  summary: 'Add a DKIM key that signs mail from a domain.',
  about: [
    'Makes an RSA key of 2048 bits, or takes yours, and prints the record for the DNS. Nothing is',
    'signed with it until "dkim check" has found the record.',
  ].join('\n'),
  operands: [appOperand],
  flags: {
    domain: { value: 'DOMAIN', help: dkimFields.domain.says },
    selector: { value: 'TEXT', help: dkimFields.selector.says },
    'private-key-file': {
      value: 'FILE',
      help: 'A file with an RSA key in PEM, or - for standard input; made if absent.',
    },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint dkim add 3kTMd0Pz0a6uYxQWtqGmVb --domain example.com'],
  async run(args, io) {
    const file = args.text('private-key-file')
    const privateKey = file && (await readText('private-key-file', file, io))
    return withPorts(args, io, async (ports) => {
      const [domain, selector] = [args.text('domain'), args.text('selector')]
      const input = { appId: args.operand(0), domain, selector, privateKey }
      const key = await addDkimKey(ports, cliActor, input)
      if (args.has('json')) printJson(io, presentDkim(key, [key]))
      else showNew(key, args.operand(0), io)
      return exitCodes.done
    })
  },
}

export const dkimList: Command = {
  name: 'dkim list',
  summary: 'List the DKIM keys of an app.',
  about: 'The newest key of a domain that the DNS has signs its mail.',
  operands: [appOperand],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint dkim list 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const { dkim } = await findApp(ports, args.operand(0))
      const shown = dkim.map((key) => presentDkim(key, dkim))
      if (args.has('json')) printJson(io, { items: shown })
      else {
        const heading = ['ID', 'SIGNS', 'NAME', 'VALUE']
        const rows = shown.map(({ id, signs, record: { name, value } }) => {
          return [id, signs ? 'yes' : 'no', name, value]
        })
        printTable(io, heading, rows)
      }
      return exitCodes.done
    }),
}

export const dkimCheck: Command = {
  name: 'dkim check',
  summary: 'Look the DKIM keys of an app up in the DNS.',
  about: [
    'A key that the DNS has signs from now on, unless a newer one of its domain does. One that it',
    'does not have signs nothing: mail is better unsigned than wrongly signed. Exit status 1',
    'unless every key was found.',
  ].join('\n'),
  operands: [appOperand],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint dkim check 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const checked = await checkDkimKeys(ports, cliActor, args.operand(0))
      const shown = presentCheckedDkim(checked)
      if (args.has('json')) printJson(io, { items: shown })
      else {
        for (const { record, found, signs } of shown) {
          const signing = signs ? '; it signs' : '; it does not sign'
          io.out(`${record.name}: ${says[found]}${signing}\n`)
        }
      }
      const isAll = checked.every(({ found }) => found === 'found')
      return isAll ? exitCodes.done : exitCodes.failed
    }),
}

const says: Record<CheckedKey['found'], string> = {
  found: 'the DNS has the key',
  missing: 'the DNS has no such record yet',
  other: 'the DNS has another key, or several records, at this name',
  unknown: 'the DNS did not answer',
}

export const dkimRemove: Command = {
  name: 'dkim remove',
  summary: 'Remove a DKIM key from an app.',
  about: 'It signs nothing from now on. Remove its record from the DNS a few days later.',
  operands: [appOperand, { name: 'DKIM_ID', help: 'the id of the key, as "dkim list" shows it' }],
  flags: dataFlag,
  examples: ['otpmint dkim remove 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const key = { appId: args.operand(0), id: args.operand(1) }
      await removeDkimKey(ports, cliActor, key)
      io.out(`removed ${key.id}\n`)
      return exitCodes.done
    }),
}

function showNew(key: DkimKey, appId: string, io: Io): void {
  const { name, type, value } = dkimRecord(key)
  printFacts(io, [
    ['id', key.id],
    ['name', name],
    ['type', type],
    ['value', value],
    ['zone file', zoneLine(name, value)],
    ['then', `otpmint dkim check ${appId}`],
  ])
}

/** The longest string of a TXT record, in bytes (RFC 1035 section 3.3). */
const stringMax = 255

/** The record as a line of a zone file, cut into strings. */
function zoneLine(name: string, value: string): string {
  const strings = value.match(new RegExp(`.{1,${stringMax}}`, 'g')) ?? []
  return `${name}. IN TXT ( ${strings.map((text) => `"${text}"`).join(' ')} )`
}
