import { listBindings, removeBindingOf } from '../domain/telegram/bindings.ts'
import { presentBinding } from '../present.ts'
import { type Command, jsonFlag } from './command.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson, printTable } from './output.ts'
import { pageFlags, pageOf, tellNext } from './page.ts'

export const telegramList: Command = {
  name: 'telegram list',
  summary: 'List the persons who let an app write to them in Telegram.',
  about: [
    'Lists the Telegram recipients of an app, the newest first, with their masked names. A bot is an',
    'endpoint: "otpmint endpoint add" has the --telegram flags. In a pipe: tab-separated, without a',
    'heading.',
  ].join('\n'),
  operands: [appOperand],
  flags: { ...pageFlags, ...dataFlag, ...jsonFlag },
  examples: ['otpmint telegram list 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) => {
    const paging = pageOf(args, 'timedId')
    return withPorts(args, io, async (ports) => {
      const page = await listBindings(ports, { appId: args.operand(0), ...paging })
      const now = ports.clock.now()
      const items = page.items.map((binding) => presentBinding(binding, now))
      if (args.has('json')) {
        printJson(io, { items, next_cursor: page.nextCursor })
        return exitCodes.done
      }
      const rows = items.map(({ id, mode, status, name, created_at: at }) => {
        return [id, mode, status, name ?? '-', at.replace(/\.\d+Z$/, 'Z')]
      })
      printTable(io, ['ID', 'MODE', 'STATUS', 'NAME', 'CREATED'], rows)
      tellNext(io, page.nextCursor)
      return exitCodes.done
    })
  },
}

export const telegramRemove: Command = {
  name: 'telegram remove',
  summary: 'Remove a Telegram recipient of an app.',
  about: 'The app can write to this person again only after the whole way of a new link.',
  operands: [appOperand, { name: 'ID', help: 'its id, as "telegram list" shows it' }],
  flags: dataFlag,
  examples: ['otpmint telegram remove 3kTMd0Pz0a6uYxQWtqGmVb 0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const [appId, id] = [args.operand(0), args.operand(1)]
      await removeBindingOf(ports, cliActor, { appId, id })
      io.out('removed\n')
      return exitCodes.done
    }),
}
