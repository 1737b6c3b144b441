import { endpointsMax } from '../domain/app/app.ts'
import type { Endpoint } from '../domain/app/endpoint.ts'
import {
  addEndpoint,
  orderEndpoints,
  removeEndpoint,
  updateEndpoint,
} from '../domain/app/endpoints.ts'
import { findApp } from '../domain/app/manage.ts'
import { presentEndpoint } from '../present.ts'
import { type Args, type Command, type Flags, jsonFlag, type Operand } from './command.ts'
import { appOperand, cliActor, dataFlag, readApp, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { endpointText, printFacts, printJson, printTable } from './output.ts'
import { leadsElsewhere, smtpFlags, smtpFrom, withSecrets } from './smtp.ts'

export const endpointOperand: Operand = {
  name: 'ENDPOINT_ID',
  help: 'the id of the mail server, as "endpoint list" shows it',
}

const rankFlag: Flags = {
  rank: { value: 'N', help: `Its place in the order, 1 to ${endpointsMax}: 1 is tried first.` },
}

export const endpointAdd: Command = {
  name: 'endpoint add',
  summary: 'Add a mail server to an app.',
  about: [
    'Adds a mail server that is tried when those before it do not answer or refuse. It is the last',
    'one unless --rank is given.',
  ].join('\n'),
  operands: [appOperand],
  flags: { ...smtpFlags, ...rankFlag, ...dataFlag, ...jsonFlag },
  examples: [
    'otpmint endpoint add 3kTMd0Pz0a6uYxQWtqGmVb --smtp-host smtp.example.net \\',
    '  --smtp-port 587 --smtp-from codes@example.com --smtp-password-file /root/smtp-password',
  ],
  async run(args, io) {
    const input = (await smtpFrom(args, io)) ?? {}
    const email = await withSecrets(args, io, input, async () => undefined)
    return withPorts(args, io, async (ports) => {
      const fields = {
        appId: args.operand(0),
        channel: 'email',
        rank: rankOf(args),
        email,
      } as const
      showEndpoint(await addEndpoint(ports, cliActor, fields), args, io)
      return exitCodes.done
    })
  },
}

export const endpointUpdate: Command = {
  name: 'endpoint update',
  summary: 'Change a mail server of an app, or its place in the order.',
  about: [
    'Changes what is given and leaves the rest. What says where the secret goes (host, port, security,',
    'user, auth, tenant, client id, ca) needs it again: it is never carried to another server.',
  ].join('\n'),
  operands: [appOperand, endpointOperand],
  flags: { ...smtpFlags, ...rankFlag, ...dataFlag, ...jsonFlag },
  examples: ['otpmint endpoint update 3kTMd0Pz0a6uYxQWtqGmVb 7hQm2Vb9cKp4sWx1Ld8RtN --rank 1'],
  async run(args, io) {
    const input = await smtpFrom(args, io)
    const isMoved = input !== undefined && leadsElsewhere(input)
    const email = isMoved ? await withSecrets(args, io, input, () => current(args, io)) : input
    return withPorts(args, io, async (ports) => {
      const [appId, id] = [args.operand(0), args.operand(1)]
      const fields = { appId, id, rank: rankOf(args), email }
      showEndpoint(await updateEndpoint(ports, cliActor, fields), args, io)
      return exitCodes.done
    })
  },
}

export const endpointOrder: Command = {
  name: 'endpoint order',
  summary: 'Set the order in which the mail servers of an app are tried.',
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
  summary: 'Remove a mail server from an app, with its password.',
  about: 'Without any mail server the live keys of the app send nothing.',
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
  summary: 'List the mail servers of an app, first to last.',
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

function rankOf(args: Args): unknown {
  const text = args.text('rank')
  return text !== undefined && /^\d{1,3}$/.test(text) ? Number(text) : text
}

function showEndpoint(endpoint: Endpoint, args: Args, io: Io): void {
  if (args.has('json')) {
    printJson(io, presentEndpoint(endpoint))
    return
  }
  const { settings } = endpoint
  printFacts(io, [
    ['id', endpoint.id],
    ['rank', String(endpoint.rank)],
    ['mail server', endpointText(endpoint)],
    ['login', loginText(settings)],
    ['sender', sender(endpoint)],
  ])
}

function showAll(endpoints: Endpoint[], args: Args, io: Io): void {
  if (args.has('json')) {
    printJson(io, { items: endpoints.map(presentEndpoint) })
    return
  }
  const rows = endpoints.map((endpoint) => {
    const { id, rank, settings } = endpoint
    return [id, String(rank), endpointText(endpoint), loginText(settings), sender(endpoint)]
  })
  printTable(io, ['ID', 'RANK', 'MAIL SERVER', 'LOGIN', 'SENDER'], rows)
}

function loginText({ user, auth }: Endpoint['settings']): string {
  return auth === 'password' ? (user ?? '-') : `${user} (${auth})`
}

function sender({ settings: { from, fromName } }: Endpoint): string {
  return fromName ? `${fromName} <${from}>` : from
}
