import { rotateSecret } from '../domain/app/endpoint-rotation.ts'
import { webhookFields } from '../domain/webhook/webhook.ts'
import { presentRotated } from '../present.ts'
import { type Command, jsonFlag } from './command.ts'
import { endpointOperand } from './endpoint.ts'
import { fieldValue, flagName, flagOf, readText } from './fields.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printFacts, printJson } from './output.ts'

const { keepFormerSeconds: keepField } = webhookFields
const keepFlag = flagName(keepField.wire)

export const endpointRotate: Command = {
  name: 'endpoint rotate',
  summary: 'Give a webhook of an app another secret.',
  about: [
    'Requests are signed with both secrets, the new one first, until the former one ends: give the',
    'gateway the new one meanwhile. A secret that is made here is shown only now. To end the former',
    'one sooner, set the new one again with "endpoint update".',
  ].join('\n'),
  operands: [appOperand, endpointOperand],
  flags: {
    'secret-file': {
      value: 'FILE',
      help: 'A file with the new secret, or - for standard input; made if absent.',
    },
    [keepFlag]: flagOf(keepField),
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint endpoint rotate 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN'],
  async run(args, io) {
    const file = args.text('secret-file')
    const secret = file === undefined ? undefined : await readText('secret-file', file, io)
    const kept = args.text(keepFlag)
    const keepFormerSeconds = kept === undefined ? undefined : fieldValue(keepField, kept)
    return withPorts(args, io, async (ports) => {
      const rotation = { appId: args.operand(0), id: args.operand(1), secret, keepFormerSeconds }
      const rotated = presentRotated(await rotateSecret(ports, cliActor, rotation))
      if (args.has('json')) printJson(io, rotated)
      else {
        printFacts(io, [
          ['endpoint', rotated.endpoint],
          ...(rotated.secret ? [['secret', rotated.secret] as [string, string]] : []),
          [
            'former secret',
            rotated.former_secret_until ? `until ${rotated.former_secret_until}` : 'ended',
          ],
        ])
      }
      return exitCodes.done
    })
  },
}
