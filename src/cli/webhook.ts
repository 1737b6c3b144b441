import { findApp } from '../domain/app/manage.ts'
import { isSuccess } from '../domain/webhook/schedule.ts'
import { type Webhook, webhookFields } from '../domain/webhook/webhook.ts'
import {
  addWebhook,
  foundWebhook,
  listWebhooks,
  removeWebhook,
  rotateWebhookSecret,
  updateWebhook,
  type WithSecret,
} from '../domain/webhook/webhooks.ts'
import { presentWebhook } from '../present.ts'
import { testWebhook } from '../runtime/test-webhook.ts'
import { type Args, type Command, type Flags, jsonFlag, type Operand } from './command.ts'
import { fieldValue, flagOf, readText } from './fields.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printFacts, printJson, printTable, timeText } from './output.ts'

export const webhookOperand: Operand = {
  name: 'WEBHOOK_ID',
  help: 'the id of the webhook, as "webhook list" shows it',
}

const { url, types, testEvents, enabled, secret, keepFormerSeconds } = webhookFields
const secretFlag: Flags = { 'secret-file': flagOf({ ...secret, file: true }) }
const settingFlags: Flags = {
  url: flagOf(url),
  types: flagOf(types),
  'test-events': flagOf(testEvents),
  enabled: flagOf(enabled),
  ...secretFlag,
}

export const webhookAdd: Command = {
  name: 'webhook add',
  summary: 'Add a URL that is told what happens in an app.',
  about: [
    'Adds a webhook, which is told of approvals, deliveries and alarms from now on, signed as',
    'Standard Webhooks says (docs/events.md). A secret that is made here is shown this once.',
  ].join('\n'),
  operands: [appOperand],
  flags: { ...settingFlags, ...dataFlag, ...jsonFlag },
  examples: [
    'otpmint webhook add 3kTMd0Pz0a6uYxQWtqGmVb --url https://app.example.com/events \\',
    '  --types verification.approved,delivery.failed',
  ],
  async run(args, io) {
    const input = await inputFrom(args, io)
    return withPorts(args, io, async (ports) => {
      showOne(await addWebhook(ports, cliActor, { appId: args.operand(0), ...input }), args, io)
      return exitCodes.done
    })
  },
}

export const webhookList: Command = {
  name: 'webhook list',
  summary: 'List the webhooks of an app, and how they stand.',
  about: [
    'WAITING counts messages that have neither arrived nor been given up; FAILING is since when',
    'no try has succeeded. In a pipe: tab-separated, without a heading.',
  ].join('\n'),
  operands: [appOperand],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint webhook list 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const found = await listWebhooks(ports, args.operand(0))
      if (args.has('json')) {
        const items = found.map(({ webhook, state }) => presentWebhook(webhook, { state }))
        printJson(io, { items })
        return exitCodes.done
      }
      const rows = found.map(({ webhook, state }) => {
        const { id, types: told } = webhook
        const failing = timeText(state?.failingSince ?? null)
        return [id, webhook.url, stateText(webhook), `${state?.waiting ?? 0}`, failing, told.join()]
      })
      printTable(io, ['ID', 'URL', 'STATE', 'WAITING', 'FAILING', 'TYPES'], rows)
      return exitCodes.done
    }),
}

export const webhookUpdate: Command = {
  name: 'webhook update',
  summary: 'Change a webhook, or switch it off and on.',
  about: [
    'Changes what is given and leaves the rest. With another URL it gets another secret, unless',
    '--secret-file gives one: a secret is never carried to another receiver. Once it is switched on',
    'again, what waits is sent.',
  ].join('\n'),
  operands: [appOperand, webhookOperand],
  flags: { ...settingFlags, ...dataFlag, ...jsonFlag },
  examples: ['otpmint webhook update 3kTMd0Pz0a6uYxQWtqGmVb 5nQ8xW2mK7vT0yR4sB9zC1 --enabled yes'],
  async run(args, io) {
    const input = await inputFrom(args, io)
    return withPorts(args, io, async (ports) => {
      showOne(await updateWebhook(ports, cliActor, { ...placeOf(args), ...input }), args, io)
      return exitCodes.done
    })
  },
}

export const webhookRotate: Command = {
  name: 'webhook rotate',
  summary: 'Give a webhook another secret.',
  about: [
    'The former secret signs too, for a day unless --keep-former-seconds says otherwise: give the',
    'new one to the receiver meanwhile. It is shown this once, unless --secret-file gives it.',
  ].join('\n'),
  operands: [appOperand, webhookOperand],
  flags: {
    ...secretFlag,
    'keep-former-seconds': flagOf(keepFormerSeconds),
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint webhook rotate 3kTMd0Pz0a6uYxQWtqGmVb 5nQ8xW2mK7vT0yR4sB9zC1'],
  async run(args, io) {
    const given = await secretFrom(args, io)
    const kept = args.text('keep-former-seconds')
    const keptSeconds = kept === undefined ? kept : fieldValue(keepFormerSeconds, kept)
    return withPorts(args, io, async (ports) => {
      const input = { ...placeOf(args), secret: given, keepFormerSeconds: keptSeconds }
      showOne(await rotateWebhookSecret(ports, cliActor, input), args, io)
      return exitCodes.done
    })
  },
}

export const webhookTest: Command = {
  name: 'webhook test',
  summary: 'Post a test message to a webhook.',
  about: [
    'Posts a signed message of the type webhook.test once, also while the webhook is off, and tells',
    'what came back. Exit status 1 unless the receiver answered with 2xx.',
  ].join('\n'),
  operands: [appOperand, webhookOperand],
  flags: dataFlag,
  examples: ['otpmint webhook test 3kTMd0Pz0a6uYxQWtqGmVb 5nQ8xW2mK7vT0yR4sB9zC1'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const app = await findApp(ports, args.operand(0))
      const answer = await testWebhook(ports, app, foundWebhook(app, args.operand(1)))
      io.out(`${answer.detail ?? `the receiver answered ${answer.code}`}\n`)
      return isSuccess(answer.code) ? exitCodes.done : exitCodes.failed
    }),
}

export const webhookRemove: Command = {
  name: 'webhook remove',
  summary: 'Remove a webhook from an app, with its messages.',
  about: 'Nothing more is sent to it, in the running server too.',
  operands: [appOperand, webhookOperand],
  flags: dataFlag,
  examples: ['otpmint webhook remove 3kTMd0Pz0a6uYxQWtqGmVb 5nQ8xW2mK7vT0yR4sB9zC1'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const place = placeOf(args)
      await removeWebhook(ports, cliActor, place)
      io.out(`removed ${place.id}\n`)
      return exitCodes.done
    }),
}

export function placeOf(args: Args): { appId: string; id: string } {
  return { appId: args.operand(0), id: args.operand(1) }
}

async function inputFrom(args: Args, io: Io) {
  const value = (flag: string, field: Parameters<typeof fieldValue>[0]) => {
    const text = args.text(flag)
    return text === undefined ? undefined : fieldValue(field, text)
  }
  return {
    url: value('url', url),
    types: value('types', types),
    testEvents: value('test-events', testEvents),
    enabled: value('enabled', enabled),
    secret: await secretFrom(args, io),
  }
}

async function secretFrom(args: Args, io: Io): Promise<string | undefined> {
  const file = args.text('secret-file')
  return file === undefined ? undefined : readText('secret-file', file, io)
}

function stateText({ offSince, offCause }: Webhook): string {
  return offSince === null ? 'on' : `off (${offCause})`
}

function showOne({ webhook, secret: made }: WithSecret, args: Args, io: Io): void {
  if (args.has('json')) {
    printJson(io, presentWebhook(webhook, { secret: made }))
    return
  }
  const { formerUntil } = webhook
  printFacts(io, [
    ['id', webhook.id],
    ['url', webhook.url],
    ['types', webhook.types.join(' ')],
    ['test events', webhook.testEvents ? 'yes' : 'no'],
    ['state', stateText(webhook)],
    ...(formerUntil === null ? [] : [['former secret until', timeText(formerUntil)] as Fact]),
    ...(made === null ? [] : [['secret', made] as Fact]),
  ])
}

type Fact = [string, string]
