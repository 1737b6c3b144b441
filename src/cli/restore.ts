import { restore } from '../runtime/backup.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { dataFlag, settingsFor, tellRefusal } from './open.ts'
import { printJson } from './output.ts'

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Put a backup in the place of the database.',
  about: [
    'Checks a backup and makes it the database of the data directory. The server must be stopped,',
    'and the master key of that installation must be in its place: it is not in the backup.',
    'Verifications that were live in the backup are expired, so that no used code comes back;',
    'people ask for a new code. The audit log says that it happened.',
  ].join('\n'),
  operands: [{ name: 'FILE', help: 'a file that "otpmint backup" wrote' }],
  flags: {
    force: { help: 'Replace the database that is there; it is kept beside the new one.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint restore /var/backups/otpmint-2026-06-15.db'],
  async run(words, io) {
    const settings = settingsFor(words, io)
    if (!settings) return exitCodes.wrongSettings
    const options = { file: words.operand(0), force: words.has('force'), pid: io.pid }
    const restored = await restore(settings, options)
    if (!restored.ok) return tellRefusal(io, restored)

    const { database, expired, keptAside } = restored
    if (words.has('json')) printJson(io, { database, expired, kept_aside: keptAside })
    else {
      io.out(`${database}\n`)
      io.err(`Live verifications expired: ${expired}\n`)
      if (keptAside) io.err(`The former database is kept as ${keptAside}\n`)
      io.err('The master key in use is the one this database needs: start "otpmint serve".\n')
    }
    return exitCodes.done
  },
}
