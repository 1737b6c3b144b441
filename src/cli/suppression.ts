import type { Suppression } from '../domain/delivery/suppression.ts'
import { listSuppressions, removeSuppression } from '../domain/delivery/suppressions.ts'
import { isTimedId } from '../domain/id.ts'
import { presentSuppression } from '../present.ts'
import { type Command, jsonFlag } from './command.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'
import { pageFlags, pageOf, tellNext } from './page.ts'

export const suppressionList: Command = {
  name: 'suppression list',
  summary: 'List the addresses that an app sends nothing to for a while.',
  about: [
    'Lists the masked addresses that a mail server refused for good, the newest first: a day after',
    'the first refusal, thirty days after another one. In a pipe: tab-separated, without a heading.',
  ].join('\n'),
  operands: [appOperand],
  flags: { ...pageFlags, ...dataFlag, ...jsonFlag },
  examples: ['otpmint suppression list 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) => {
    const paging = pageOf(args, 'timedId')
    return withPorts(args, io, async (ports) => {
      const page = await listSuppressions(ports, { appId: args.operand(0), ...paging })
      if (args.has('json')) {
        printJson(io, { items: page.items.map(presentSuppression), next_cursor: page.nextCursor })
        return exitCodes.done
      }
      printTable(io, ['ID', 'TO', 'CAUSE', 'CODE', 'SINCE', 'UNTIL'], page.items.map(row))
      tellNext(io, page.nextCursor)
      return exitCodes.done
    })
  },
}

export const suppressionRemove: Command = {
  name: 'suppression remove',
  summary: 'Let an app send to an address again.',
  about: [
    'Removes a suppression, by its id or by exactly its address, in the running server too. Another',
    'refusal of the address counts as the first one.',
  ].join('\n'),
  operands: [
    appOperand,
    { name: 'WHICH', help: 'its id, as "suppression list" shows it, or the address' },
  ],
  flags: dataFlag,
  examples: [
    'otpmint suppression remove 3kTMd0Pz0a6uYxQWtqGmVb ada@example.com',
    'otpmint suppression remove 3kTMd0Pz0a6uYxQWtqGmVb 0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf',
  ],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const [appId, text] = [args.operand(0), args.operand(1)]
      const which = isTimedId(text) ? { id: text } : { to: text }
      await removeSuppression(ports, cliActor, { appId, ...which })
      io.out('removed\n')
      return exitCodes.done
    }),
}

function row({ id, to, cause, code, since, until }: Suppression): string[] {
  return [id, to, cause, code ?? '-', timeText(since), timeText(until)]
}
