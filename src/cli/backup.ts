import { presentKey } from '../present.ts'
import { backUp, restore, restoreInPlace } from '../runtime/backup.ts'
import type { ActiveKey } from '../runtime/run-id.ts'
import { keyText } from './app-key.ts'
import { type Command, jsonFlag, wrongUsage } from './command.ts'
import { dataFlag, settingsFor, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printJson } from './output.ts'

export const backup: Command = {
  name: 'backup',
  summary: 'Write a consistent copy of the database.',
  about: [
    'Writes a consistent, compacted and checked copy of the database, mode 0600, while the server',
    'runs; it is on disk when the command ends. The master key is not in it: without the key the',
    'copy is worthless, so keep a copy of the key too, in another place. No code and no password',
    'can be read from the copy alone. PostgreSQL is backed up by its own tools.',
  ].join('\n'),
  operands: [{ name: 'FILE', help: 'the file to write; it must not exist' }],
  flags: dataFlag,
  examples: ['otpmint backup /var/backups/otpmint-$(date +%F).db'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const file = args.operand(0)
      await backUp(ports, file)
      io.out(`${file}\n`)
      io.err('The master key is not in the backup: keep a copy of it in another place.\n')
      return exitCodes.done
    }),
}

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Replace the database by a backup.',
  about: [
    'Checks a backup and makes it the database of the data directory. The server must be stopped,',
    'and the master key of that installation must be in its place: it is not in the backup.',
    'Verifications that were live in the backup are expired, so that no used code comes back;',
    'people ask for a new code. Keys that were revoked since are revoked again and apps that were',
    'deleted since are paused, as far as the database that is replaced knows. The keys and',
    'secretKeys that are active then are listed, also in the audit log.',
    '',
    '--in-place does the same with the existing database: after a snapshot of the volume, a',
    'copied directory or a replica was put back, which a start cannot notice. With PostgreSQL it',
    'is what follows a restore, which its own tools do.',
  ].join('\n'),
  operands: [{ name: 'FILE', help: 'a file that "otpmint backup" wrote', optional: true }],
  flags: {
    force: { help: 'Replace an existing database, which is kept beside the new one.' },
    'in-place': { help: 'Treat the existing database as an older copy.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint restore /var/backups/otpmint-2026-06-15.db', 'otpmint restore --in-place'],
  async run(args, io) {
    const file = args.operand(0)
    if (args.has('in-place')) {
      if (file !== '' || args.has('force')) {
        throw wrongUsage('--in-place takes no FILE and no --force')
      }
      const { expired, activeKeys } = await restoreInPlace(settingsFor(args, io), io)
      if (args.has('json')) printJson(io, { expired, ...keysJson(activeKeys) })
      else tellRevived(io, { expired, activeKeys })
      return exitCodes.done
    }
    if (file === '') throw wrongUsage('FILE is missing: a file that "otpmint backup" wrote')

    const options = { file, force: args.has('force'), pid: io.pid }
    const restored = await restore(settingsFor(args, io), options)
    const { database, expired, revoked, paused, revocationsKnown, activeKeys, keptAside } = restored
    if (args.has('json')) {
      const keys = { revoked, paused, revocations_known: revocationsKnown }
      const active = keysJson(activeKeys)
      printJson(io, { database, expired, ...keys, ...active, kept_aside: keptAside })
      return exitCodes.done
    }
    io.out(`${database}\n`)
    tellRevived(io, { expired, activeKeys })
    if (revoked > 0) io.err(`Keys that were revoked since the backup, revoked again: ${revoked}\n`)
    if (paused > 0) {
      io.err(`Apps that were deleted since the backup, paused ("otpmint app update"): ${paused}\n`)
    }
    if (!revocationsKnown) {
      io.err('Keys that were revoked since the backup are not known: revoke them again.\n')
    }
    if (keptAside) io.err(`The former database is kept as ${keptAside}\n`)
    io.err('The master key in use is the one this database needs: start "otpmint serve".\n')
    return exitCodes.done
  },
}

type Revived = { expired: number; activeKeys: ActiveKey[] }

function tellRevived(io: Io, { expired, activeKeys }: Revived): void {
  io.err(`Live verifications expired: ${expired}\n`)
  if (activeKeys.length === 0) return
  io.err('Active keys (revoke those that should not be, with "otpmint app revoke-key"):\n')
  for (const { appId, appName, key } of activeKeys) {
    const app = `${appName ?? '-'} (${appId})`
    io.err(`  ${app}  ${key === null ? secretKeyText : keyText(key)}\n`)
  }
}

const secretKeyText = 'secretKey of the original API ("otpmint app delete" ends it)'

function keysJson(active: ActiveKey[]) {
  return {
    active_keys: active.flatMap(({ appId, key }) => {
      return key === null ? [] : [{ app: appId, ...presentKey(key) }]
    }),
    active_secret_keys: active.flatMap(({ appId, key }) => (key === null ? [{ app: appId }] : [])),
  }
}
