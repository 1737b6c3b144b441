import { findApp } from '../domain/app/manage.ts'
import { listVerifications } from '../domain/verification/list.ts'
import {
  attemptsLeft,
  modes,
  statuses,
  statusOf,
  type Verification,
} from '../domain/verification/verification.ts'
import { presentVerification } from '../present.ts'
import { type Command, jsonFlag, oneOf } from './command.ts'
import { appOperand, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'
import { pageFlags, pageOf, tellNext } from './page.ts'

export const verificationsCommand: Command = {
  name: 'verifications',
  summary: "List an app's verifications with the state of their mails.",
  about: [
    'Lists the verifications of an app, the newest first, with masked recipients and without',
    'codes. In a pipe: tab-separated, without a heading.',
  ].join('\n'),
  operands: [appOperand],
  flags: {
    mode: { value: 'MODE', help: 'Those of live keys (default) or of test keys: live, test.' },
    status: { value: 'STATUS', help: `Only those of this status: ${statuses.join(', ')}.` },
    to: { value: 'ADDRESS', help: 'Only those of this recipient.' },
    ...pageFlags,
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint verifications 3kTMd0Pz0a6uYxQWtqGmVb --to ada@example.com'],
  run: async (args, io) => {
    const mode = oneOf(args, 'mode', modes) ?? 'live'
    const status = oneOf(args, 'status', statuses)
    const to = args.text('to')
    const paging = pageOf(args, 'timedId')
    return withPorts(args, io, async (ports) => {
      const { id: appId } = await findApp(ports, args.operand(0))
      const page = await listVerifications(ports, { appId, mode, status, to, ...paging })
      const now = ports.clock.now()
      if (args.has('json')) {
        const items = page.items.map((verification) => presentVerification(verification, now))
        printJson(io, { items, next_cursor: page.nextCursor })
        return exitCodes.done
      }
      const heading = ['ID', 'STARTED', 'TO', 'STATUS', 'ATTEMPTS LEFT', 'DELIVERY']
      const rows = page.items.map((verification) => row(verification, now))
      printTable(io, heading, rows)
      tellNext(io, page.nextCursor)
      return exitCodes.done
    })
  },
}

function row(verification: Verification, now: number): string[] {
  const { id, createdAt, to, delivery } = verification
  const { status, detail } = delivery
  return [
    id,
    timeText(createdAt),
    to,
    statusOf(verification, now),
    String(attemptsLeft(verification)),
    detail === null ? status : `${status}: ${detail}`,
  ]
}
