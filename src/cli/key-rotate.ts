import { rotateKey } from '../runtime/keys.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { dataFlag, settingsFor, tellRefusal } from './open.ts'
import { printJson } from './output.ts'

export const keyRotate: Command = {
  name: 'key rotate',
  summary: 'Put a new master key in the place of the current one.',
  about: [
    'Wraps every data key under a new master key, while the server runs and without touching',
    'live codes. Killed in the middle, it is finished by running it again. Without a file, the',
    'key in the data directory is replaced; a key that comes from elsewhere is replaced by the',
    'one in --new-key-file, which you then put in its place. The former key still opens backups',
    'that were made before: keep it as long as them.',
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
  async run(words, io) {
    const settings = settingsFor(words, io)
    if (!settings) return exitCodes.wrongSettings
    const isWatched = io.terminal.errors
    const rotated = await rotateKey(settings, {
      newKeyFile: words.text('new-key-file') ?? null,
      onProgress: (count) => {
        if (isWatched) io.err(`\rdata keys wrapped: ${count}`)
      },
    })
    if (!rotated.ok) return tellRefusal(io, rotated)
    if (isWatched && rotated.rewrapped > 0) io.err('\n')

    const { keyId, rewrapped, source } = rotated
    if (words.has('json')) {
      printJson(io, { key_id: keyId, rewrapped })
      return exitCodes.done
    }
    io.out(`master key ${keyId} is in use; data keys wrapped: ${rewrapped}\n`)
    if (words.has('new-key-file')) io.err(`${homes[source]} before the next start.\n`)
    return exitCodes.done
  },
}

const homes = {
  credential: 'Put the new key in the place of the credential master_key',
  file: 'Put the new key in the file that OTPMINT_MASTER_KEY_FILE names',
  environment: 'Put the new key in OTPMINT_MASTER_KEY',
  data_dir: 'Name the file of the new key with OTPMINT_MASTER_KEY_FILE',
} as const
