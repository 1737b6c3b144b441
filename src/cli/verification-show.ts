import { findApp } from '../domain/app/manage.ts'
import { Problem } from '../domain/problem.ts'
import { modes } from '../domain/verification/verification.ts'
import { presentDetails } from '../present.ts'
import { type Command, jsonFlag, oneOf } from './command.ts'
import { appOperand, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printFacts, printJson, printTable } from './output.ts'

export const verificationShow: Command = {
  name: 'verification show',
  summary: 'Show a verification with its messages and every try.',
  about: [
    'Shows one verification, without its code, and what became of each of its messages; of an app',
    'with a learned route also why a message began with its endpoint.',
  ].join('\n'),
  operands: [appOperand, { name: 'ID', help: 'The id of the verification.' }],
  flags: {
    mode: { value: 'MODE', help: 'That of a live key (default) or of a test key: live, test.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint verification show 3kTMd0Pz0a6uYxQWtqGmVb 0Uw3Xa8bQ2sXyKBqCk1uT5vYw8ZaDf'],
  run: async (args, io) => {
    const mode = oneOf(args, 'mode', modes) ?? 'live'
    return withPorts(args, io, async (ports) => {
      const { id: appId } = await findApp(ports, args.operand(0))
      const key = { appId, mode, id: args.operand(1) }
      const verification = await ports.verifications.get(key)
      if (!verification) throw new Problem('verification_not_found')
      const deliveries = await ports.deliveries.history(key)
      const shown = presentDetails(verification, deliveries, ports.clock.now())
      if (args.has('json')) {
        printJson(io, shown)
        return exitCodes.done
      }
      printFacts(io, [
        ['id', shown.id],
        ['route', shown.route.map(({ channel, to }) => `${channel} ${to}`).join(', ')],
        ['status', shown.status],
        ['started', shown.created_at],
        ['expires', shown.expires_at],
        ['next check', shown.next.check ?? '-'],
        ['next resend', resendText(shown.next.resend)],
      ])
      const heading = ['AT', 'CHANNEL', 'ENDPOINT', 'OUTCOME', 'DETAIL', 'CHOSEN']
      printTable(io, heading, shown.deliveries.flatMap(rowsOf))
      return exitCodes.done
    })
  },
}

function resendText(resend: { at: string; channels: string[] } | null): string {
  return resend ? `${resend.at} by ${resend.channels.join(', ')}` : '-'
}

type Shown = ReturnType<typeof presentDetails>['deliveries'][number]

/** A row for each try, or one for a message without any; the first has the reason of the choice. */
function rowsOf({ channel, status, created_at, chosen, tries, ...delivery }: Shown): string[][] {
  const reason = chosen?.explanation ?? ''
  if (tries.length === 0) {
    return [[created_at, channel, '', status, delivery.detail ?? '', reason]]
  }
  return tries.map(({ at, endpoint, status: outcome, detail = '' }, index) => {
    return [at, channel, endpoint ?? '', outcome, detail, index === 0 ? reason : '']
  })
}
