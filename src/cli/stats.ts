import { type CounterName, counterNames } from '../domain/stores.ts'
import { dayMs, hourMs } from '../domain/verification/limits.ts'
import { presentStats, timestamp } from '../present.ts'
import { type Command, jsonFlag, oneOf, wholeNumber } from './command.ts'
import { dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'

const bucketsMs = { minute: 60_000, hour: hourMs, day: dayMs }
const bucketNames = ['minute', 'hour', 'day'] as const

export const statsCommand: Command = {
  name: 'stats',
  summary: 'Count verifications, checks and deliveries over time.',
  about: [
    'Counts starts, checks, failures and outcomes of mails, one line for each minute, hour or day;',
    'those without counts are left out. In a pipe: tab-separated, without a heading.',
  ].join('\n'),
  operands: [],
  flags: {
    app: { value: 'ID', help: 'Only those of this app.' },
    bucket: { value: 'SPAN', help: 'The time span of a line: minute, hour (default) or day.' },
    last: { value: 'N', help: 'How many lines, up to now: 1 to 2000, 48 by default.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint stats --bucket day --last 7'],
  run: async (args, io) => {
    const bucket = oneOf(args, 'bucket', bucketNames) ?? 'hour'
    const last = wholeNumber(args, 'last', { min: 1, max: 2000, usual: 48 })
    return withPorts(args, io, async ({ stats, clock }) => {
      const to = clock.now()
      const bucketMs = bucketsMs[bucket]
      const range = { from: to - last * bucketMs, to }
      const rows = await stats.read({ appId: args.text('app') ?? null, bucketMs, ...range })
      if (args.has('json')) {
        const span = { from: timestamp(range.from), to: timestamp(range.to) }
        printJson(io, { bucket, ...span, items: rows.map(presentStats) })
        return exitCodes.done
      }
      const heading = ['FROM', ...counterNames.map((name) => name.toUpperCase())]
      const cells = (row: Record<CounterName, number>) => counterNames.map((name) => `${row[name]}`)
      printTable(
        io,
        heading,
        rows.map((row) => [timeText(row.at), ...cells(row)]),
      )
      return exitCodes.done
    })
  },
}
