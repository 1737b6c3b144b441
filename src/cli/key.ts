import { newMasterKey, rotateKey } from '../runtime/keys.ts'
import { type Command, jsonFlag } from './command.ts'
import { dataFlag, settingsFor } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson } from './output.ts'

export const keyGenerate: Command = {
  name: 'key generate',
  summary: 'Print a new master key.',
  about: [
    'Prints 32 random bytes in base64, for a credential or a file that only its owner can read.',
    'The master key and the database together open everything; without the key the database is',
    'useless. Backups do not contain it: keep a copy of it apart from them.',
  ].join('\n'),
  operands: [],
  flags: {},
  examples: [
    '(umask 077; otpmint key generate > /etc/otpmint.master_key)',
    'otpmint key generate | systemd-creds encrypt - /etc/credstore.encrypted/otpmint.master_key',
  ],
  async run(_args, io) {
    io.out(`${newMasterKey()}\n`)
    return exitCodes.done
  },
}

export const keyRotate: Command = {
  name: 'key rotate',
  summary: 'Replace the master key by a new one.',
  about: [
    'Makes a new data key for every app and seals its secrets again, all under a new master key,',
    'while the server runs; sent codes stay valid. A killed rotation is finished by running it',
    'again. Without a file, the key in the data directory is replaced; a key from elsewhere is',
    'replaced by the one in --new-key-file, which you then put in its place. Older backups need',
    'the former key: keep it as long as them.',
    '',
    'With PostgreSQL every server must hold the new key before, in the file that',
    'OTPMINT_MASTER_KEY_NEXT_FILE names; this command takes it from there too, and refuses while a',
    'server lacks it. Afterwards servers start with either file in either setting.',
  ].join('\n'),
  operands: [],
  flags: {
    'new-key-file': { value: 'FILE', help: 'A file, mode 0600, that holds the new master key.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint key rotate',
    'otpmint key generate > new.key && otpmint key rotate --new-key-file new.key',
  ],
  async run(args, io) {
    const settings = settingsFor(args, io)
    const isWatched = io.terminal.errors
    const { keyId, renewed, source, oldFiles } = await rotateKey(settings, {
      newKeyFile: args.text('new-key-file') ?? null,
      onProgress: (count) => {
        if (isWatched) io.err(`\rdata keys renewed: ${count}`)
      },
    })
    if (isWatched && renewed > 0) io.err('\n')
    if (args.has('json')) {
      printJson(io, { key_id: keyId, renewed, old_key_files: oldFiles })
      return exitCodes.done
    }
    io.out(`master key ${keyId} is in use; data keys renewed: ${renewed}\n`)
    for (const { path, kept } of oldFiles) {
      io.err(kept === null ? `${path} was removed\n` : `${path} was kept: ${kept}\n`)
    }
    if (args.has('new-key-file') || settings.masterKey.nextFile)
      io.err(`${homes[source]} before the next start.\n`)
    return exitCodes.done
  },
}

const homes = {
  credential: 'Put the new key in the place of the credential master_key',
  file: 'Put the new key in the file that OTPMINT_MASTER_KEY_FILE names',
  environment: 'Put the new key in OTPMINT_MASTER_KEY',
  data_dir: 'Name the file of the new key with OTPMINT_MASTER_KEY_FILE',
} as const
