import type { App } from '../domain/app/app.ts'
import type { Endpoint } from '../domain/app/endpoint.ts'
import { found } from '../domain/app/endpoints.ts'
import { findApp } from '../domain/app/manage.ts'
import { effectivePolicy } from '../domain/app/policy.ts'
import { channels } from '../domain/delivery/channel.ts'
import { readLocale } from '../domain/language.ts'
import type { Ports } from '../domain/ports.ts'
import {
  allowedRecipient,
  type Recipient,
  readRecipient,
} from '../domain/verification/recipient.ts'
import { type TestDelivery, testEndpoint } from '../runtime/test-delivery.ts'
import { type Command, jsonFlag } from './command.ts'
import { endpointOperand } from './endpoint.ts'
import { appOperand, dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { oneLine, painter, printJson } from './output.ts'

export const endpointTest: Command = {
  name: 'endpoint test',
  summary: 'Test an endpoint of an app, and tell each step.',
  about: [
    'At a mail server resolves, connects, agrees on encryption and logs in, and tells each step with',
    'what the server said; to a webhook posts a signed request that is no message; of a bot tells who',
    'it is and how its updates come. With --send-to also sends a real message. Exit status 1 when a',
    'step failed.',
  ].join('\n'),
  operands: [appOperand, endpointOperand],
  flags: {
    'send-to': { value: 'ADDRESS', help: 'Send a test message to this address or recipient.' },
    locale: { value: 'TAG', help: 'The language of the test message, such as de-AT.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint endpoint test 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN --send-to me@example.com',
  ],
  run: async (args, io) => {
    const sendTo = args.text('send-to')
    const tag = args.text('locale')
    const locale = tag === undefined ? null : readLocale(tag)
    return withPorts(args, io, async (ports) => {
      const app = await findApp(ports, args.operand(0))
      const endpoint = found(app, args.operand(1))
      const message =
        sendTo === undefined
          ? null
          : { recipient: recipientFor(ports, app, endpoint, sendTo), locale }
      const tested = await testEndpoint(ports, app, endpoint, message)
      if (args.has('json')) printJson(io, tested)
      else showSteps(tested, io)
      return tested.steps.every(({ ok }) => ok) ? exitCodes.done : exitCodes.failed
    })
  },
}

function recipientFor(
  ports: Pick<Ports, 'phones' | 'settings'>,
  { policy }: App,
  { channel }: Endpoint,
  sendTo: string,
): Recipient {
  const named = readRecipient(channels[channel].takes, sendTo, 'send-to')
  return allowedRecipient(ports, named, effectivePolicy(policy, ports.settings), 'send-to')
}

function showSteps({ steps }: TestDelivery, io: Io): void {
  const paint = painter(io, io.terminal.output)
  const width = Math.max(...steps.map(({ name }) => name.length))
  for (const { name, ok, detail } of steps) {
    const mark = ok ? paint('green', 'ok    ') : paint('red', 'failed')
    io.out(`${mark}  ${name.padEnd(width)}  ${oneLine(detail ?? '')}\n`)
  }
}
