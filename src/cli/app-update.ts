import { updateApp } from '../domain/manage-apps.ts'
import { mailFlags, mailFrom, policyFlags, policyFrom } from './app-fields.ts'
import { appFacts, appJson } from './app-view.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './open.ts'
import { printFacts, printJson } from './output.ts'

export const appUpdate: Command = {
  name: 'app update',
  summary: 'Change the name, the policy or the mail server of an app.',
  about: [
    'Changes what is given and leaves the rest. "default" as the value of a policy flag makes',
    "it follow the server's settings again. Another host, port, security or user needs the",
    'password again: a password is never carried to another server.',
  ].join('\n'),
  operands: [appOperand],
  flags: {
    name: { value: 'NAME', help: 'The new name.' },
    ...mailFlags,
    'smtp-remove': { help: 'The app sends no mail any more.' },
    ...policyFlags,
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint app update 3kTMd0Pz0a6uYxQWtqGmVb --code-length 8 --ttl-seconds default',
    'otpmint app update 3kTMd0Pz0a6uYxQWtqGmVb --smtp-password-file - < password',
  ],
  run: (words, io) =>
    withPorts(words, io, async (ports) => {
      const id = words.operand(0)
      const email = words.has('smtp-remove')
        ? null
        : await mailFrom(words, io, ({ host, port, security, user }) =>
            [host, port, security, user].some((value) => value !== undefined),
          )
      const fields = { id, name: words.text('name'), policy: policyFrom(words), email }
      const app = await updateApp(ports, cliActor, fields)
      const keys = await ports.apps.keys(id)
      if (words.has('json')) printJson(io, appJson(app, keys))
      else printFacts(io, appFacts(app, keys))
      return exitCodes.done
    }),
}
