import { Problem } from '../domain/problem.ts'
import { appFacts, appJson } from './app-view.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { appOperand, dataFlag, withPorts } from './open.ts'
import { printFacts, printJson } from './output.ts'

export const appShow: Command = {
  name: 'app show',
  summary: 'Show one app, its policy and its keys.',
  about: 'Shows an app, its mail server, its policy and its keys by head and tail. No secrets.',
  operands: [appOperand],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint app show 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (words, io) =>
    withPorts(words, io, async ({ apps }) => {
      const app = await apps.get(words.operand(0))
      if (!app) throw new Problem('app_not_found')
      const keys = await apps.keys(app.id)
      if (words.has('json')) printJson(io, appJson(app, keys))
      else printFacts(io, appFacts(app, keys))
      return exitCodes.done
    }),
}
