import { type AppKey, keyModes } from '../domain/app/app.ts'
import { newKey, revokeKey } from '../domain/app/manage.ts'
import { presentKey } from '../present.ts'
import { type Command, jsonFlag, oneOf } from './command.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printFacts, printJson, timeText } from './output.ts'

export const appNewKey: Command = {
  name: 'app new-key',
  summary: 'Add a key to an app.',
  about: [
    'Makes a key and shows it this once. Two keys of a mode may be active at a time: make the',
    'new one, give it to the app, then revoke the old one.',
  ].join('\n'),
  operands: [appOperand],
  flags: {
    mode: {
      value: 'MODE',
      help: 'live (default), test, or inbound: for "otpmint bounce", and for nothing else.',
    },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint app new-key 3kTMd0Pz0a6uYxQWtqGmVb --mode test'],
  run: async (args, io) => {
    const mode = oneOf(args, 'mode', keyModes) ?? 'live'
    return withPorts(args, io, async (ports) => {
      const { key, text } = await newKey(ports, cliActor, { appId: args.operand(0), mode })
      if (args.has('json')) printJson(io, { ...presentKey(key), key: text })
      else {
        printFacts(io, [
          ['id', key.id],
          [`${mode} key`, text],
        ])
      }
      return exitCodes.done
    })
  },
}

export const appRevokeKey: Command = {
  name: 'app revoke-key',
  summary: 'Revoke a key of an app.',
  about: 'From now on the key is unknown, in the running server too. "app show" lists the ids.',
  operands: [appOperand, { name: 'KEY_ID', help: 'the id of the key, as "app show" lists it' }],
  flags: dataFlag,
  examples: ['otpmint app revoke-key 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const key = { appId: args.operand(0), keyId: args.operand(1) }
      await revokeKey(ports, cliActor, key)
      io.out(`revoked ${key.keyId}\n`)
      return exitCodes.done
    }),
}

/** The visible start and end of a key, for a person. */
export function keyText(key: AppKey): string {
  const state = key.revokedAt === null ? 'active' : `revoked ${timeText(key.revokedAt)}`
  return `${key.prefix}...${key.lastFour}  id ${key.id}  ${state}`
}
