import type { Settings } from '../config/load.ts'
import { findAccount, linkAccount, linkNewAccount } from '../domain/account/accounts.ts'
import { linkUrl, type NewLink } from '../domain/account/link.ts'
import { timestamp } from '../present.ts'
import { authority } from '../runtime/listen.ts'
import type { OpenPorts } from '../runtime/open.ts'
import { type Command, jsonFlag } from './command.ts'
import { cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printJson } from './output.ts'

export const dashboardLink: Command = {
  name: 'dashboard link',
  summary: 'Print a one-time link that lets one person into the dashboard.',
  about: [
    'The link works once, within 15 minutes. Who opens it chooses a name and a password, and is an',
    'admin. With --account it is for somebody who was invited, or has lost the password or the',
    'second step: it sets a new password, removes the second step and ends that person’s sessions.',
  ].join('\n'),
  operands: [],
  flags: {
    account: { value: 'NAME', help: 'The person whom the link is for, instead of a new one.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: ['otpmint dashboard link', 'otpmint dashboard link --account "Ada Lovelace"'],
  run: (args, io) =>
    withPorts(args, io, async (ports, settings, server) => {
      const base = server ? server.dashboardUrl : usualUrl(settings)
      if (base === null) {
        io.err('otpmint dashboard link: the dashboard is off: set OTPMINT_DASHBOARD_LISTEN\n')
        return exitCodes.failed
      }
      const { link, text } = await makeLink(ports, args.text('account'))
      const url = linkUrl(base, text)
      if (args.has('json')) printJson(io, { url, expires_at: timestamp(link.expiresAt) })
      else printLink(io, url)
      if (!server) io.err('No server runs here now: start it before the link ends.\n')
      return exitCodes.done
    }),
}

async function makeLink(ports: OpenPorts, name: string | undefined): Promise<NewLink> {
  if (name === undefined) return linkNewAccount(ports, cliActor)
  const { id } = await findAccount(ports, name)
  return (await linkAccount(ports, cliActor, id)).link
}

function printLink(io: Io, url: string): void {
  io.out(`${url}\n`)
  if (io.terminal.output) io.out('It works once, within 15 minutes.\n')
}

/** Where a server with these settings will serve the dashboard. */
function usualUrl({ dashboard: { listen, url } }: Settings): string | null {
  return listen && (url ?? `http://${authority(listen)}`)
}
