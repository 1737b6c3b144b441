import { endpointTotals, wholeDays } from '../domain/learning/totals.ts'
import { type CounterName, counterNames } from '../domain/stores.ts'
import { dayMs, hourMs } from '../domain/verification/limits.ts'
import { presentStats, presentTotal, timestamp } from '../present.ts'
import { type Args, type Command, jsonFlag, oneOf, wholeNumber, wrongUsage } from './command.ts'
import { dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'

const bucketsMs = { minute: 60_000, hour: hourMs, day: dayMs }
const bucketNames = ['minute', 'hour', 'day'] as const
const byNames = ['time', 'endpoint,domain'] as const

export const statsCommand: Command = {
  name: 'stats',
  summary: 'Count verifications, checks and deliveries over time.',
  about: [
    'Counts starts, checks, failures and outcomes of mails, one line for each minute, hour or day;',
    'those without counts are left out. With --by endpoint,domain: messages and approvals by',
    'endpoint and domain or country of the recipient, of apps with a learned route, over whole days.',
    'In a pipe: tab-separated, without a heading.',
  ].join('\n'),
  operands: [],
  flags: {
    app: { value: 'ID', help: 'Only those of this app.' },
    bucket: { value: 'SPAN', help: 'The time span of a line: minute, hour (default) or day.' },
    by: { value: 'WHAT', help: `What a line is of: ${byNames.join(' (default) or ')}.` },
    last: {
      value: 'N',
      help: 'How many lines, or days, up to now: 1 to 2000; 48 or 30 by default.',
    },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint stats --bucket day --last 7', 'otpmint stats --by endpoint,domain'],
  run: async (args, io) => {
    if (oneOf(args, 'by', byNames) === 'endpoint,domain') return printByEndpoint(args, io)
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

async function printByEndpoint(args: Args, io: Io): Promise<number> {
  const last = wholeNumber(args, 'last', { min: 1, max: 2000, usual: 30 })
  if (args.text('bucket') !== undefined) throw wrongUsage('--bucket is not for this --by')
  return withPorts(args, io, async (ports) => {
    const now = ports.clock.now()
    const range = wholeDays({ from: now - last * dayMs, to: now })
    const totals = await endpointTotals(ports, { appId: args.text('app') ?? null, ...range })
    const items = totals.map(presentTotal)
    if (args.has('json')) {
      const span = { from: timestamp(range.from), to: timestamp(range.to) }
      printJson(io, { by: 'endpoint,domain', ...span, items })
      return exitCodes.done
    }
    const rows = items.map(({ app, endpoint, group, handed_over, approved, share }) => {
      return [app, endpoint, group, `${handed_over}`, `${approved}`, `${share}`]
    })
    printTable(io, ['APP', 'ENDPOINT', 'GROUP', 'HANDED OVER', 'APPROVED', 'SHARE'], rows)
    return exitCodes.done
  })
}
