import type { MoveResult } from '../runtime/move.ts'
import { moveToPostgres } from '../runtime/move.ts'
import { moveToSqlite } from '../runtime/move-back.ts'
import { reopen } from '../runtime/move-reopen.ts'
import { systemTimers } from '../system.ts'
import { type Command, jsonFlag, wrongUsage } from './command.ts'
import { dataFlag, settingsFor } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printJson, printTable } from './output.ts'
import { createProgress } from './progress.ts'

export const moveCommand: Command = {
  name: 'move',
  summary: 'Move everything from SQLite to PostgreSQL, or back.',
  about: [
    '--to postgres copies the SQLite database of the data directory to the empty database of',
    'OTPMINT_DATABASE_URL and OTPMINT_DATABASE_MIGRATE_URL (or their _FILE) while its server runs,',
    'compares every table, and then switches: the old one refuses writes (503, Retry-After) from',
    'a few seconds before the new one can be served. Live codes, limits, keys, events and the rest',
    'go on as they are; the master key stays the same. Run it again after it was killed or has',
    'failed: it goes on where it was.',
    '',
    '--to sqlite:DIR moves the PostgreSQL database back to a new data directory; its servers must',
    'be stopped.',
    '',
    '--reopen ends a move and opens the old database again. Where the new one may have been served,',
    'everything pending in the old one is ended, because a code may have been used there.',
  ].join('\n'),
  operands: [],
  flags: {
    to: { value: 'PLACE', help: 'postgres, or sqlite:DIR.' },
    prepare: {
      help: 'Copy and compare only; the next run without it copies the rest and switches.',
    },
    reopen: { help: 'End the move, and open the old database again.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'OTPMINT_DATABASE_URL_FILE=/run/url OTPMINT_DATABASE_MIGRATE_URL_FILE=/run/owner_url \\\n' +
      '    otpmint move --to postgres --prepare',
    'otpmint move --env-file /etc/otpmint/move.env --to postgres',
    'otpmint move --reopen',
  ],
  async run(args, io) {
    const settings = settingsFor(args, io)
    const to = args.text('to')
    if (args.has('reopen')) {
      if (to !== undefined || args.has('prepare')) throw wrongUsage('--reopen takes no other place')
      const { place, expired } = await reopen(settings)
      if (args.has('json')) printJson(io, { not_moved_to: place, expired })
      else io.out(`open again; not moved to ${place}; verifications ended: ${expired}\n`)
      return exitCodes.done
    }
    const progress = createProgress({ ...io, monotonic: systemTimers.monotonic })
    const { onStep } = progress
    let result: MoveResult
    try {
      if (to === 'postgres') {
        result = await moveToPostgres(settings, { onStep, prepareOnly: args.has('prepare') })
      } else if (to?.startsWith('sqlite:') && to.length > 7 && !args.has('prepare')) {
        result = await moveToSqlite(settings, { onStep, directory: to.slice(7) })
      } else {
        throw wrongUsage('--to must be postgres or sqlite:DIR, and --prepare is for postgres')
      }
    } finally {
      progress.end()
    }
    if (args.has('json')) printJson(io, resultJson(result))
    else tell(io, result)
    return exitCodes.done
  },
}

function resultJson({ place, state, tables, refusedMs, unsettled }: MoveResult) {
  return { place, state, tables, refused_ms: refusedMs && Math.round(refusedMs), unsettled }
}

function tell(io: Io, { place, state, tables, refusedMs, unsettled }: MoveResult): void {
  if (state === 'ready') {
    io.out(`all is copied to ${place} and compared; nothing is switched\n`)
    io.err('Changes are written down until the next run, which switches: "otpmint move" does it.\n')
    return
  }
  const rows = tables.map(({ table, rows, checksum }) => [table, String(rows), checksum])
  printTable(io, ['TABLE', 'ROWS', 'CHECKSUM'], rows)
  const refused = refusedMs && `; writes were refused for ${(refusedMs / 1000).toFixed(1)} s`
  io.err(`Moved to ${place}${refused ?? ''}.\n`)
  if (unsettled > 0) io.err(`Messages that may be sent once more: ${unsettled}\n`)
  io.err('The old database refuses every write: stop its server, and start the new one.\n')
}
