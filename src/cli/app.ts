import { type App, type AppKey, mailServersOf } from '../domain/app/app.ts'
import { endpointKinds } from '../domain/app/endpoint.ts'
import type { EndpointInput } from '../domain/app/endpoint-fields.ts'
import { addEndpoint, updateEndpoint } from '../domain/app/endpoints.ts'
import { allApps, createApp, deleteApp, findApp, updateApp } from '../domain/app/manage.ts'
import { policyFieldList } from '../domain/app/policy.ts'
import { emailNames } from '../domain/app/smtp-fields.ts'
import { readSmtpSettings } from '../domain/app/smtp-settings.ts'
import type { Ports } from '../domain/ports.ts'
import type { FieldError } from '../domain/problem.ts'
import { endpointText } from '../present/endpoint-text.ts'
import { presentApp, presentKey } from '../present.ts'
import { keyText } from './app-key.ts'
import { type Command, jsonFlag, wrongUsage } from './command.ts'
import { endpointFrom, kindFlags } from './endpoint-flags.ts'
import { leadsElsewhere, withSecrets } from './endpoint-secrets.ts'
import { policyFlags, policyFrom } from './fields.ts'
import { appOperand, cliActor, dataFlag, readApp, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printFacts, printJson, printTable, timeText } from './output.ts'

export const appCreate: Command = {
  name: 'app create',
  summary: 'Register an app and show its keys.',
  about: [
    'Registers an app: a back end that asks OtpMint for codes. Shows a live key, which sends',
    'through the mail server named here, and a test key, whose mails stay on this machine. Both',
    'are shown this once. Works while the server runs.',
  ].join('\n'),
  operands: [{ name: 'NAME', help: 'the name that the mails show, such as "Acme"' }],
  flags: { ...kindFlags('email'), ...policyFlags, ...dataFlag, ...jsonFlag },
  examples: [
    'otpmint app create Acme --smtp-host smtp.example.com --smtp-port 465 \\',
    '  --smtp-from codes@example.com --smtp-password-file /root/smtp-password',
  ],
  async run(args, io) {
    const input = await endpointFrom('email', args, io)
    const email = input && (await withSecrets(args, io, { kind: 'email', input }))
    return withPorts(args, io, async (ports) => {
      const fields = { name: args.operand(0), policy: policyFrom(args), email }
      const { app, keys, liveKey, testKey } = await createApp(ports, cliActor, fields)
      if (args.has('json')) {
        printJson(io, { ...appJson(app, keys), live_key: liveKey, test_key: testKey })
        return exitCodes.done
      }
      printFacts(io, [...appFacts(app, []), ['live key', liveKey], ['test key', testKey]])
      if (io.terminal.output) io.err('\nThe keys are shown this once: store them now.\n')
      return exitCodes.done
    })
  },
}

export const appList: Command = {
  name: 'app list',
  summary: 'List the apps.',
  about: 'Lists every app with its first mail server. In a pipe: tab-separated, without a heading.',
  operands: [],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint app list', 'otpmint app list --json'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const apps = await allApps(ports)
      if (args.has('json')) {
        printJson(io, { items: apps.map(presentApp), next_cursor: null })
      } else if (apps.length === 0 && io.terminal.output) {
        io.err('There is no app yet: "otpmint app create NAME" makes one.\n')
      } else {
        const rows = apps.map((app) => {
          return [app.id, app.name ?? '-', mailServer(app), timeText(app.createdAt)]
        })
        printTable(io, ['ID', 'NAME', 'MAIL SERVER', 'CREATED'], rows)
      }
      return exitCodes.done
    }),
}

export const appShow: Command = {
  name: 'app show',
  summary: 'Show one app, its policy, its mail servers and its keys.',
  about:
    'Shows an app, its mail servers, its policy and the start and end of its keys. No secrets.',
  operands: [appOperand],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint app show 3kTMd0Pz0a6uYxQWtqGmVb'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      await showApp(ports, io, { id: args.operand(0), json: args.has('json') })
      return exitCodes.done
    }),
}

export const appUpdate: Command = {
  name: 'app update',
  summary: 'Change the name, the policy or the first mail server of an app.',
  about: [
    'Changes what is given and leaves the rest. "default" as the value of a policy flag makes',
    "it follow the server's settings again. The --smtp flags change the mail server that is tried",
    'first, or name one where there is none; "endpoint" manages several. What says where the secret',
    'goes (host, port, security, user, auth, tenant, client id, ca) needs it again: it is never',
    'carried to another server.',
  ].join('\n'),
  operands: [appOperand],
  flags: {
    name: { value: 'NAME', help: 'The new name.' },
    ...kindFlags('email'),
    ...policyFlags,
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint app update 3kTMd0Pz0a6uYxQWtqGmVb --code-length 8 --ttl-seconds default',
    'otpmint app update 3kTMd0Pz0a6uYxQWtqGmVb --smtp-password-file - < password',
  ],
  async run(args, io) {
    const input = await endpointFrom('email', args, io)
    const isMoved = input !== undefined && leadsElsewhere('email', input)
    const current = async () => mailServersOf(await readApp(args, io))[0]
    const email = isMoved ? await withSecrets(args, io, { kind: 'email', input, current }) : input
    return withPorts(args, io, async (ports) => {
      const app = await findApp(ports, args.operand(0))
      await changeApp(ports, app, { name: args.text('name'), policy: policyFrom(args), email })
      await showApp(ports, io, { id: app.id, json: args.has('json') })
      return exitCodes.done
    })
  },
}

export const appDelete: Command = {
  name: 'app delete',
  summary: 'Delete an app and all its data.',
  about: [
    'Deletes an app with its keys, its verifications and its events. Its keys stop working at',
    'once, in the running server too. This cannot be taken back.',
  ].join('\n'),
  operands: [appOperand],
  flags: { yes: { help: 'Confirms the deletion; without it nothing is deleted.' }, ...dataFlag },
  examples: ['otpmint app delete 3kTMd0Pz0a6uYxQWtqGmVb --yes'],
  run: async (args, io) => {
    if (!args.has('yes')) {
      throw wrongUsage('this deletes the app and everything of it; add --yes to do it')
    }
    return withPorts(args, io, async (ports) => {
      await deleteApp(ports, cliActor, args.operand(0))
      io.out(`deleted ${args.operand(0)}\n`)
      return exitCodes.done
    })
  },
}

type Change = {
  name: string | undefined
  policy: ReturnType<typeof policyFrom>
  email: EndpointInput | undefined
}

/** Changes nothing when anything is wrong; reports all mistakes, also those of the mail server. */
async function changeApp(
  ports: Parameters<typeof updateEndpoint>[0],
  app: App,
  { name, policy, email }: Change,
): Promise<void> {
  const { id, registeredBy } = app
  const mistakes: FieldError[] = []
  const [current = null] = mailServersOf(app)
  if (email) {
    readSmtpSettings(ports, { input: email, names: emailNames, current, registeredBy, mistakes })
  }
  if (name !== undefined || Object.keys(policy).length > 0 || mistakes.length > 0) {
    await updateApp(ports, cliActor, { id, name, policy, mistakes })
  }
  if (!email) return
  if (current) await updateEndpoint(ports, cliActor, { appId: id, id: current.id, input: email })
  else await addEndpoint(ports, cliActor, { appId: id, kind: 'email', input: email })
}

async function showApp(
  { apps }: Pick<Ports, 'apps'>,
  io: Io,
  { id, json }: { id: string; json: boolean },
): Promise<void> {
  const app = await findApp({ apps }, id)
  const keys = await apps.keys(id)
  if (json) printJson(io, appJson(app, keys))
  else printFacts(io, appFacts(app, keys))
}

/** As `GET /v1/apps/{id}` answers. */
function appJson(app: App, keys: AppKey[]) {
  return { ...presentApp(app), keys: keys.map(presentKey) }
}

/** `name  value` lines for a person. */
function appFacts(app: App, keys: AppKey[]): [string, string][] {
  const { policy, endpoints, sprayAlarmSince } = app
  return [
    ['id', app.id],
    ['name', app.name ?? '-'],
    ...endpoints.map((endpoint): [string, string] => [
      endpointKinds[endpoint.settings.kind].noun,
      endpointText(endpoint),
    ]),
    ...policyFieldList
      .filter(([field]) => policy[field] !== undefined)
      .map(([field, { wire }]): [string, string] => [wire, String(policy[field])]),
    ...keys.map((key): [string, string] => ['key', keyText(key)]),
    ['created', timeText(app.createdAt)],
    ['updated', timeText(app.updatedAt)],
    ...(sprayAlarmSince === null
      ? []
      : [['alarm since', timeText(sprayAlarmSince)] as [string, string]]),
  ]
}

function mailServer(app: App): string {
  const [first] = mailServersOf(app)
  return first ? endpointText(first) : '-'
}
