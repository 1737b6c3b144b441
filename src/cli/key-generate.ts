import { newMasterKey } from '../runtime/keys.ts'
import type { Command } from './command.ts'
import { exitCodes } from './io.ts'

export const keyGenerate: Command = {
  name: 'key generate',
  summary: 'Print a new master key.',
  about: [
    'Prints 32 random bytes in base64, to be kept as a credential or in a file that only its',
    'owner can read. Whoever has the master key and the database has everything; whoever loses',
    'it has lost the database. It is not in backups: keep a copy of it apart from them.',
  ].join('\n'),
  operands: [],
  flags: {},
  examples: [
    '(umask 077; otpmint key generate > /etc/otpmint.master_key)',
    'otpmint key generate | systemd-creds encrypt - /etc/credstore.encrypted/otpmint.master_key',
  ],
  async run(_words, io) {
    io.out(`${newMasterKey()}\n`)
    return exitCodes.done
  },
}
