import { type Event, eventTypes } from '../domain/event.ts'
import { presentEvent } from '../present.ts'
import { type Command, jsonFlag, oneOf } from './command.ts'
import { dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'
import { pageFlags, pageOf, tellNext } from './page.ts'

export const eventsCommand: Command = {
  name: 'events',
  summary: 'List events: approvals, deliveries, alarms.',
  about: 'Lists events, the newest first. In a pipe: tab-separated, without a heading.',
  operands: [],
  flags: {
    app: { value: 'ID', help: 'Only those of this app.' },
    type: { value: 'TYPE', help: `Only those of this type: ${eventTypes.join(', ')}.` },
    ...pageFlags,
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint events', 'otpmint events --type delivery.refused --limit 100'],
  run: async (args, io) => {
    const type = oneOf(args, 'type', eventTypes) ?? null
    const { limit, cursor } = pageOf(args, 'number')
    return withPorts(args, io, async ({ events }) => {
      const page = await events.list({ appId: args.text('app') ?? null, type, limit, cursor })
      if (args.has('json')) {
        printJson(io, { items: page.items.map(presentEvent), next_cursor: page.nextCursor })
        return exitCodes.done
      }
      printTable(io, ['TIME', 'TYPE', 'APP', 'VERIFICATION', 'DATA'], page.items.map(row))
      tellNext(io, page.nextCursor)
      return exitCodes.done
    })
  },
}

function row({ at, type, appId, verificationId, data }: Event): string[] {
  const facts = Object.entries(data).map(([name, value]) => `${name}=${value}`)
  return [timeText(at), type, appId ?? '-', verificationId ?? '-', facts.join(' ')]
}
