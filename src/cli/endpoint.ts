import { endpointsMax } from '../domain/app/app.ts'
import { type EmailEndpoint, type Endpoint, isEmail, shownFields } from '../domain/app/endpoint.ts'
import {
  addEndpoint,
  enabledField,
  found,
  orderEndpoints,
  removeEndpoint,
  updateEndpoint,
} from '../domain/app/endpoints.ts'
import { findApp } from '../domain/app/manage.ts'
import { endpointText } from '../present/endpoint-text.ts'
import { presentEndpoint } from '../present.ts'
import {
  type Args,
  type Command,
  type Flags,
  jsonFlag,
  type Operand,
  wrongUsage,
} from './command.ts'
import { endpointFlags, endpointFrom, kindNamed } from './endpoint-flags.ts'
import { leadsElsewhere, withSecrets } from './endpoint-secrets.ts'
import { fieldValue, flagOf } from './fields.ts'
import { appOperand, cliActor, dataFlag, readApp, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printFacts, printJson, printTable } from './output.ts'

export const endpointOperand: Operand = {
  name: 'ENDPOINT_ID',
  help: 'the id of the endpoint, as "endpoint list" shows it',
}

const placeFlags: Flags = {
  rank: { value: 'N', help: `Its place in the order, 1 to ${endpointsMax}: 1 is tried first.` },
  [enabledField.wire]: flagOf(enabledField),
}

export const endpointAdd: Command = {
  name: 'endpoint add',
  summary: 'Add a mail server, or another endpoint, to an app.',
  about: [
    'Adds an endpoint that is tried when those before it do not answer or refuse. It is the last',
    'one of its channel unless --rank is given. The flags say of which kind it is.',
  ].join('\n'),
  operands: [appOperand],
  flags: { ...endpointFlags, ...placeFlags, ...dataFlag, ...jsonFlag },
  examples: [
    'otpmint endpoint add 3kTMd0Pz0a6uYxQWtqGmVb --smtp-host smtp.example.net \\',
    '  --smtp-port 587 --smtp-from codes@example.com --smtp-password-file /root/smtp-password',
  ],
  async run(args, io) {
    const kind = kindNamed(args) ?? 'email'
    const named = (await endpointFrom(kind, args, io)) ?? {}
    const input = await withSecrets(args, io, { kind, input: named })
    return withPorts(args, io, async (ports) => {
      const fields = { appId: args.operand(0), kind, ...placeOf(args), input }
      showEndpoint(await addEndpoint(ports, cliActor, fields), args, io)
      return exitCodes.done
    })
  },
}

export const endpointUpdate: Command = {
  name: 'endpoint update',
  summary: 'Change an endpoint of an app, or its place in the order.',
  about: [
    'Changes what is given and leaves the rest. What says where the secret goes, such as a host or',
    'a URL, needs it again: it is never carried to another server.',
  ].join('\n'),
  operands: [appOperand, endpointOperand],
  flags: { ...endpointFlags, ...placeFlags, ...dataFlag, ...jsonFlag },
  examples: ['otpmint endpoint update 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN --rank 1'],
  async run(args, io) {
    const kind = kindNamed(args)
    const named = kind && (await endpointFrom(kind, args, io))
    const isMoved = kind && named && leadsElsewhere(kind, named)
    const input = isMoved
      ? await withSecrets(args, io, { kind, input: named, current: () => current(args, io) })
      : named
    return withPorts(args, io, async (ports) => {
      const [appId, id] = [args.operand(0), args.operand(1)]
      if (kind && found(await findApp(ports, appId), id).settings.kind !== kind) {
        throw wrongUsage(`endpoint ${id} is of another kind`)
      }
      const fields = { appId, id, ...placeOf(args), input }
      showEndpoint(await updateEndpoint(ports, cliActor, fields), args, io)
      return exitCodes.done
    })
  },
}

export const endpointOrder: Command = {
  name: 'endpoint order',
  summary: 'Set the order in which the endpoints of each channel are tried.',
  about: 'Those that are named come first, in this order; the others keep theirs after them.',
  operands: [appOperand, { ...endpointOperand, many: true }],
  flags: { ...dataFlag, ...jsonFlag },
  examples: [
    'otpmint endpoint order 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN 4kT9wQ2nB7xV0mL5sR8yZ1',
  ],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const order = { appId: args.operand(0), ids: args.operands(1) }
      showAll(await orderEndpoints(ports, cliActor, order), args, io)
      return exitCodes.done
    }),
}

export const endpointRemove: Command = {
  name: 'endpoint remove',
  summary: 'Remove an endpoint from an app, with its secret.',
  about: 'Without any endpoint the live keys of the app send nothing.',
  operands: [appOperand, endpointOperand],
  flags: dataFlag,
  examples: ['otpmint endpoint remove 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const endpoint = { appId: args.operand(0), id: args.operand(1) }
      await removeEndpoint(ports, cliActor, endpoint)
      io.out(`removed ${endpoint.id}\n`)
      return exitCodes.done
    }),
}

export const endpointList: Command = {
  name: 'endpoint list',
  summary: 'List the endpoints of an app, by channel, first to last.',
  about: 'In the order in which they are tried. In a pipe: tab-separated, without a heading.',
  operands: [appOperand],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint endpoint list 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const { endpoints } = await findApp(ports, args.operand(0))
      showAll(endpoints, args, io)
      return exitCodes.done
    }),
}

/** The endpoint as it is stored. */
async function current(args: Args, io: Io): Promise<Endpoint | undefined> {
  const { endpoints } = await readApp(args, io)
  return endpoints.find(({ id }) => id === args.operand(1))
}

function placeOf(args: Args): { rank: unknown; enabled: unknown } {
  const text = args.text('rank')
  const rank = text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : text
  const switched = args.text(enabledField.wire)
  return { rank, enabled: switched === undefined ? undefined : fieldValue(enabledField, switched) }
}

function showEndpoint(endpoint: Endpoint, args: Args, io: Io): void {
  if (args.has('json')) {
    printJson(io, presentEndpoint(endpoint))
    return
  }
  const { kind } = endpoint.settings
  const values: Record<string, unknown> = endpoint.settings
  const shown = shownFields(kind).filter(([name]) => values[name] !== null)
  printFacts(io, [
    ['id', endpoint.id],
    ['channel', endpoint.channel],
    ['kind', kind],
    ['rank', String(endpoint.rank)],
    ...shown.map(([name, wire]): [string, string] => [wire, String(values[name])]),
    ['secret', endpoint.secretSealed === null ? 'none' : 'stored'],
    ...(endpoint.off === null ? [] : [['off', endpoint.off] as [string, string]]),
  ])
}

function showAll(endpoints: Endpoint[], args: Args, io: Io): void {
  if (args.has('json')) {
    printJson(io, { items: endpoints.map(presentEndpoint) })
    return
  }
  const rows = endpoints.map((endpoint) => {
    const { id, channel, rank } = endpoint
    const login = isEmail(endpoint) ? loginText(endpoint) : '-'
    const sender = isEmail(endpoint) ? senderText(endpoint) : '-'
    const state = endpoint.off === null ? 'on' : `off (${endpoint.off})`
    return [id, channel, String(rank), endpointText(endpoint), login, sender, state]
  })
  printTable(io, ['ID', 'CHANNEL', 'RANK', 'LEADS TO', 'LOGIN', 'SENDER', 'STATE'], rows)
}

function loginText({ settings: { user, auth } }: EmailEndpoint): string {
  return auth === 'password' ? (user ?? '-') : `${user} (${auth})`
}

function senderText({ settings: { from, fromName } }: EmailEndpoint): string {
  return fromName ? `${fromName} <${from}>` : from
}
