import { findApp } from '../domain/app/manage.ts'
import { readStory } from '../domain/verification/story.ts'
import { modes } from '../domain/verification/verification.ts'
import { presentStory } from '../present/story.ts'
import { type Command, jsonFlag, oneOf } from './command.ts'
import { appOperand, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printFacts, printJson, printTable } from './output.ts'

export const verificationShow: Command = {
  name: 'verification show',
  summary: 'Show a verification and all that happened to it.',
  about: [
    'Shows one verification, without its code, and its story, oldest first: each message, each try',
    'with the words of the other server, each wrong code with its time, and the end; of an app with',
    'a learned route also why a message began with its endpoint.',
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
      const story = await readStory(ports, { appId, mode, id: args.operand(1) })
      const shown = presentStory(story, ports.clock.now())
      if (args.has('json')) {
        printJson(io, shown)
        return exitCodes.done
      }
      printFacts(io, [
        ['id', shown.id],
        ['route', shown.route.map(({ channel, to }) => `${channel} ${to}`).join(', ')],
        ['status', shown.status],
        ['attempts left', String(shown.attempts_left)],
        ['started', shown.created_at],
        ['expires', shown.expires_at],
        ['next check', shown.next.check ?? '-'],
        ['next resend', resendText(shown.next.resend)],
      ])
      printTable(io, ['AT', 'WHAT', 'CHANNEL', 'ENDPOINT', 'DETAIL'], shown.steps.map(rowOf(shown)))
      return exitCodes.done
    })
  },
}

function resendText(resend: { at: string; channels: string[] } | null): string {
  return resend ? `${resend.at} by ${resend.channels.join(', ')}` : '-'
}

type Shown = ReturnType<typeof presentStory>

/** A row for each step. A message was queued for the endpoint that its `chosen` explains. */
function rowOf({ deliveries }: Shown) {
  return ({ at, kind, channel, ...step }: Shown['steps'][number]): string[] => {
    const queued = deliveries.find((each) => each.created_at === at && each.channel === channel)
    const reason = kind === 'queued' ? queued?.chosen?.explanation : undefined
    const { code, detail, took_ms: took } = step
    const facts = [
      step.cause,
      code && detail?.startsWith(code) ? undefined : code,
      detail,
      took === undefined ? undefined : `took ${took} ms`,
      reason,
    ]
    const says = facts.filter((fact) => fact !== undefined).join('; ')
    return [at, kind.replaceAll('_', ' '), channel ?? '', step.endpoint ?? '', says]
  }
}
