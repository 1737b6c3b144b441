import { deleteApp } from '../domain/manage-apps.ts'
import type { Command } from './command.ts'
import { exitCodes } from './io.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './open.ts'

export const appDelete: Command = {
  name: 'app delete',
  summary: 'Delete an app and everything of it.',
  about: [
    'Deletes an app with its keys, its verifications and its events. Its keys stop working at',
    'once, in the running server too. This cannot be taken back.',
  ].join('\n'),
  operands: [appOperand],
  flags: { yes: { help: 'Do it; without this nothing is deleted.' }, ...dataFlag },
  examples: ['otpmint app delete 3kTMd0Pz0a6uYxQWtqGmVb --yes'],
  run: async (words, io) => {
    if (!words.has('yes')) {
      io.err('otpmint app delete: this deletes the app and everything of it; add --yes to do it\n')
      return exitCodes.wrongWords
    }
    return withPorts(words, io, async (ports) => {
      await deleteApp(ports, cliActor, words.operand(0))
      io.out(`deleted ${words.operand(0)}\n`)
      return exitCodes.done
    })
  },
}
