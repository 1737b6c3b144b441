import { readFileSync } from 'node:fs'
import { parseEnvironmentFile } from '../config/environment-file.ts'
import { loadSettings, type Settings } from '../config/load.ts'
import type { App } from '../domain/app/app.ts'
import { findApp } from '../domain/app/manage.ts'
import type { Actor } from '../domain/audit.ts'
import { askServer, type ServerReport } from '../runtime/control.ts'
import { type OpenPorts, openPorts } from '../runtime/open.ts'
import { settingsAreWrong } from '../startup-error.ts'
import type { Args, Flags, Operand } from './command.ts'
import type { Io } from './io.ts'

export const cliActor: Actor = { who: 'cli', requestId: null }

export const envFileFlag: Flags = {
  'env-file': {
    value: 'FILE',
    help: "Settings as a unit's EnvironmentFile= has them, before those of the environment.",
  },
}

export const dataFlag: Flags = {
  'data-dir': { value: 'DIR', help: 'The data directory; else OTPMINT_DATA_DIR.' },
  ...envFileFlag,
}

export const appOperand: Operand = {
  name: 'ID',
  help: 'the id of the app, as "otpmint app list" shows it',
}

const settingFlags = ['host', 'port', 'public-url', 'data-dir', 'log-level']

/**
 * The settings of flags, `--env-file` and environment, in this order. Throws `StartupError` with
 * every mistake in them.
 */
export function settingsFor(args: Args, io: Pick<Io, 'env'>): Settings {
  const typed = settingFlags.map((flag) => [flag, args.text(flag)])
  return loadSettings(environmentOf(args, io), Object.fromEntries(typed))
}

/** The environment with the variables of `--env-file` in it. Throws `StartupError`. */
export function environmentOf(args: Args, { env }: Pick<Io, 'env'>): Io['env'] {
  const path = args.text('env-file')
  if (path === undefined) return env
  try {
    return { ...env, ...parseEnvironmentFile(readFileSync(path, 'utf8')) }
  } catch {
    throw settingsAreWrong('--env-file must name a file that this user can read')
  }
}

/**
 * Opens the ports of the data directory, with or without a running server. The settings of a
 * running server apply, so that an app is checked against the limits in force.
 */
export async function withPorts(
  args: Args,
  io: Io,
  work: (ports: OpenPorts, settings: Settings, server: ServerReport | null) => Promise<number>,
): Promise<number> {
  const own = settingsFor(args, io)
  const server = await askServer(own.dataDir)
  const settings = server ? settingsBeside(server.settings, own) : own
  const opened = await openPorts(settings)
  try {
    return await work({ ...opened.ports, ...(io.dns && { dns: io.dns }) }, settings, server)
  } finally {
    await opened.close()
  }
}

/** The app of the first operand, as it is stored now. Throws `app_not_found`. */
export async function readApp(args: Args, io: Io): Promise<App> {
  const opened = await openPorts(settingsFor(args, io))
  try {
    return await findApp(opened.ports, args.operand(0))
  } finally {
    await opened.close()
  }
}

/** The running server's settings, with this process's places of data and master key. */
export function settingsBeside(server: Settings, own: Settings): Settings {
  const { dataDir, database, masterKey } = own
  return { ...server, dataDir, database, masterKey, adminToken: null }
}
