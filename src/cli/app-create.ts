import { createApp } from '../domain/manage-apps.ts'
import { mailFlags, mailFrom, policyFlags, policyFrom } from './app-fields.ts'
import { appFacts, appJson } from './app-view.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { cliActor, dataFlag, withPorts } from './open.ts'
import { printFacts, printJson } from './output.ts'

export const appCreate: Command = {
  name: 'app create',
  summary: 'Register an app and show its keys.',
  about: [
    'Registers an app: a back end that asks OtpMint for codes. Shows a live key, which sends',
    'by the mail server named here, and a test key, whose mails stay on this machine. Both',
    'are shown this once. Works while the server runs.',
  ].join('\n'),
  operands: [{ name: 'NAME', help: 'the name that stands in the mails, such as "Acme"' }],
  flags: { ...mailFlags, ...policyFlags, ...dataFlag, ...jsonFlag },
  examples: [
    'otpmint app create Acme --smtp-host smtp.example.com --smtp-port 465 \\',
    '  --smtp-from codes@example.com --smtp-password-file /root/smtp-password',
  ],
  run: (words, io) =>
    withPorts(words, io, async (ports) => {
      const email = await mailFrom(words, io, () => true)
      const fields = { name: words.operand(0), policy: policyFrom(words), email }
      const { app, keys, liveKey, testKey } = await createApp(ports, cliActor, fields)
      if (words.has('json')) {
        printJson(io, { ...appJson(app, keys), live_key: liveKey, test_key: testKey })
        return exitCodes.done
      }
      const made: [string, string][] = [
        ['live key', liveKey],
        ['test key', testKey],
      ]
      printFacts(io, [...appFacts(app, []), ...made])
      if (io.terminal.output) io.err('\nThe keys are shown this once: store them now.\n')
      return exitCodes.done
    }),
}
