import { readTime } from '../domain/time.ts'
import type { Message } from '../domain/webhook/message.ts'
import { listMessages, replayMessages } from '../domain/webhook/replay.ts'
import { presentMessage } from '../present.ts'
import { type Args, type Command, jsonFlag, wrongUsage } from './command.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'
import { pageFlags, pageOf, tellNext } from './page.ts'
import { placeOf, webhookOperand } from './webhook.ts'

export const webhookMessages: Command = {
  name: 'webhook messages',
  summary: 'List the messages of a webhook, or those that were given up.',
  about: [
    'Lists those of the last seven days, the newest first, with the number of tries and what the',
    'latest one came to. In a pipe: tab-separated, without a heading.',
  ].join('\n'),
  operands: [appOperand, webhookOperand],
  flags: {
    dead: { help: 'Only those that were given up: the dead-letter list.' },
    ...pageFlags,
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint webhook messages 3kTMd0Pz0a6uYxQWtqGmVb 5nQ8xW2mK7vT0yR4sB9zC1 --dead'],
  run: (args, io) => {
    const paging = pageOf(args, 'message')
    return withPorts(args, io, async (ports) => {
      const query = { ...placeOf(args), isDeadOnly: args.has('dead'), ...paging }
      const { items, nextCursor } = await listMessages(ports, query)
      if (args.has('json')) {
        printJson(io, { items: items.map(presentMessage), next_cursor: nextCursor })
        return exitCodes.done
      }
      const heading = ['ID', 'TIME', 'TYPE', 'STATUS', 'TRIES', 'NEXT', 'ANSWER', 'VERIFICATION']
      printTable(io, heading, items.map(row))
      tellNext(io, nextCursor)
      return exitCodes.done
    })
  },
}

export const webhookReplay: Command = {
  name: 'webhook replay',
  summary: 'Send messages of a webhook again.',
  about: [
    'Sends one message by its id, or those of a time: the ones that were given up, and with --all',
    'also those that arrived. They keep their ids, so that a receiver knows them again.',
  ].join('\n'),
  operands: [appOperand, webhookOperand],
  flags: {
    message: { value: 'ID', help: 'One message by its id, as "webhook messages" shows it.' },
    from: { value: 'TIME', help: 'Those from this time on, such as 2026-11-22T09:00:00Z.' },
    to: { value: 'TIME', help: 'Those before this time; now if absent.' },
    all: { help: 'Also those that arrived.' },
    ...dataFlag,
  },
  examples: [
    'otpmint webhook replay 3kTMd0Pz0a6uYxQWtqGmVb 5nQ8xW2mK7vT0yR4sB9zC1 \\',
    '  --message msg_0Uw3Xa8b0000002a',
    'otpmint webhook replay 3kTMd0Pz0a6uYxQWtqGmVb 5nQ8xW2mK7vT0yR4sB9zC1 \\',
    '  --from 2026-11-22T09:00:00Z --to 2026-11-22T12:00:00Z',
  ],
  run: (args, io) => {
    const which = whichOf(args)
    return withPorts(args, io, async (ports) => {
      const input = { ...placeOf(args), ...which }
      const { count, isFull } = await replayMessages(ports, cliActor, input)
      io.out(`${count} ${count === 1 ? 'message is' : 'messages are'} sent again\n`)
      if (isFull) io.err('There is no room for more: repeat it when fewer wait.\n')
      return isFull ? exitCodes.failed : exitCodes.done
    })
  },
}

function whichOf(args: Args) {
  const [message, from, to] = [args.text('message'), args.text('from'), args.text('to')]
  if (message !== undefined) {
    const range = from === undefined ? (to === undefined ? null : 'to') : 'from'
    if (range !== null) throw wrongUsage(`--${range} is not for one message`)
    return { message }
  }
  if (from === undefined) throw wrongUsage('--message is missing, or --from is')
  return {
    from: readTime('from', from),
    to: to === undefined ? undefined : readTime('to', to),
    isDeadOnly: !args.has('all'),
  }
}

function row(message: Message): string[] {
  const { id, createdAt, type, status, tries, nextAt, code, detail, verificationId } = message
  const answer = detail ?? (code === null ? '-' : String(code))
  const next = timeText(nextAt)
  return [id, timeText(createdAt), type, status, `${tries}`, next, answer, verificationId ?? '-']
}
