import { migrateSettings } from '../runtime/migrate.ts'
import { type Command, jsonFlag } from './command.ts'
import { envFileFlag, settingsFor } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson } from './output.ts'

export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Bring a PostgreSQL database to the schema of this version.',
  about: [
    'Makes or changes the tables with the role of OTPMINT_DATABASE_MIGRATE_URL, which owns them,',
    'and grants the role of OTPMINT_DATABASE_URL what a server needs: to read and write rows and',
    'to call functions. Servers of the version before go on meanwhile. Several may run at once:',
    'one migrates, the others wait for it. What only older versions use is taken away by the next',
    'run after their last server has ended. A SQLite database needs none of this: its server',
    'migrates at the start.',
  ].join('\n'),
  operands: [],
  flags: { ...envFileFlag, ...jsonFlag },
  examples: ['OTPMINT_DATABASE_MIGRATE_URL_FILE=/run/owner_url otpmint migrate'],
  async run(args, io) {
    const { before, after, older, contracted } = await migrateSettings(settingsFor(args, io))
    if (args.has('json')) printJson(io, { before, after, older, contracted })
    else if (before < after) io.out(`schema ${after}; before: ${before || 'none'}\n`)
    else if (contracted) io.out(`schema ${after}: what only older versions used is gone\n`)
    else io.out(`schema ${after}: nothing to do\n`)
    if (older > 0 && !args.has('json')) {
      io.out(
        `${older} ${older === 1 ? 'server' : 'servers'} of an older version run: upgrade them, then ` +
          'run this again, which takes away what only they use\n',
      )
    }
    return exitCodes.done
  },
}
