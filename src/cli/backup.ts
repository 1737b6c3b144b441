import { backUp } from '../runtime/backup.ts'
import type { Command } from './command.ts'
import { exitCodes } from './io.ts'
import { dataFlag, tellRefusal, withPorts } from './open.ts'

export const backup: Command = {
  name: 'backup',
  summary: 'Write a consistent copy of the database.',
  about: [
    'Writes a consistent, compacted and checked copy of the database, mode 0600, while the server',
    'runs. The master key is not in it: without the key the copy is worthless, so keep a copy of',
    'the key too, in another place. No code and no password can be read from the copy alone.',
  ].join('\n'),
  operands: [{ name: 'FILE', help: 'the file to write; it must not exist' }],
  flags: dataFlag,
  examples: ['otpmint backup /var/backups/otpmint-$(date +%F).db'],
  run: (words, io) =>
    withPorts(words, io, async (ports) => {
      const file = words.operand(0)
      const failed = backUp(ports, file)
      if (failed) return tellRefusal(io, failed)
      io.out(`${file}\n`)
      io.err('The master key is not in the backup: keep a copy of it in another place.\n')
      return exitCodes.done
    }),
}
