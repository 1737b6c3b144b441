import { newKey, revokeKey } from '../domain/manage-apps.ts'
import { keyJson } from './app-view.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './open.ts'
import { printFacts, printJson } from './output.ts'

export const appNewKey: Command = {
  name: 'app new-key',
  summary: 'Make a further key for an app.',
  about: [
    'Makes a key and shows it this once. Two keys of a mode may be active at a time: make the',
    'new one, give it to the app, then revoke the old one.',
  ].join('\n'),
  operands: [appOperand],
  flags: {
    mode: { value: 'MODE', help: 'live (default) or test.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint app new-key 3kTMd0Pz0a6uYxQWtqGmVb --mode test'],
  run: async (words, io) => {
    const mode = words.text('mode') ?? 'live'
    if (mode !== 'live' && mode !== 'test') {
      io.err('otpmint app new-key: --mode must be live or test\n')
      return exitCodes.wrongWords
    }
    return withPorts(words, io, async (ports) => {
      const { key, text } = await newKey(ports, cliActor, { appId: words.operand(0), mode })
      if (words.has('json')) printJson(io, { ...keyJson(key), key: text })
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
  run: (words, io) =>
    withPorts(words, io, async (ports) => {
      const key = { appId: words.operand(0), keyId: words.operand(1) }
      await revokeKey(ports, cliActor, key)
      io.out(`revoked ${key.keyId}\n`)
      return exitCodes.done
    }),
}
