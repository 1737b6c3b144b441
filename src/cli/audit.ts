import { verifyAudit } from '../domain/audit.ts'
import { dayMs } from '../domain/verification/limits.ts'
import { type Command, jsonFlag, wrongUsage } from './command.ts'
import { dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson } from './output.ts'

export const auditVerify: Command = {
  name: 'audit verify',
  summary: 'Check that the audit log is unchanged.',
  about: [
    'Every audit record is linked to the one before it with a key that is not in the database.',
    'This walks the chain and names what was changed, moved or deleted before its keeping time',
    'was over. An older copy of the whole database also verifies: to detect one, keep the head',
    'that this prints in another place, and pass it to --expect-head the next time. Works while',
    'the server runs.',
  ].join('\n'),
  operands: [],
  flags: {
    'expect-head': {
      value: 'HEAD',
      help: 'A head that was printed before; it must be in the log.',
    },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint audit verify', 'otpmint audit verify --expect-head 12:3f9a...'],
  run: async (args, io) => {
    const expectHead = args.text('expect-head')
    if (expectHead !== undefined && !/^\d{1,15}:[0-9a-f]{64}$/.test(expectHead)) {
      throw wrongUsage('--expect-head must be a head as "otpmint audit verify" prints it')
    }
    return withPorts(args, io, async (ports, settings) => {
      const keptMs = settings.retention.auditDays * dayMs
      const verdict = await verifyAudit(ports, { now: ports.clock.now(), keptMs, expectHead })
      if (args.has('json')) printJson(io, verdict)
      else if (verdict.ok) {
        io.out(`${verdict.records} audit records, unbroken; head ${verdict.head}\n`)
      } else {
        io.out(`the audit log is broken: ${verdict.fault}\n`)
      }
      return verdict.ok ? exitCodes.done : exitCodes.failed
    })
  },
}
