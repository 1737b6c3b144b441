import type { Actor } from '../domain/manage-apps.ts'
import { type OpenPorts, openPorts } from '../runtime/open.ts'
import type { Refusal } from '../runtime/refusal.ts'
import { loadSettings, type Settings } from '../runtime/settings.ts'
import type { Flag, Operand, Words } from './command.ts'
import { exitCodes, type Io } from './io.ts'

export const cliActor: Actor = { who: 'cli', requestId: null }

export const dataFlag: Record<string, Flag> = {
  'data-dir': { value: 'DIR', help: 'The data directory; else OTPMINT_DATA_DIR.' },
}

export const appOperand: Operand = {
  name: 'ID',
  help: 'the id of the app, as "otpmint app list" shows it',
}

const settingFlags = ['host', 'port', 'public-url', 'data-dir', 'log-level']

/** The settings in force, or null when every mistake in them has been told. */
export function settingsFor(words: Words, io: Io): Settings | null {
  const typed = settingFlags.map((flag) => [flag, words.text(flag)])
  const read = loadSettings(io.env, Object.fromEntries(typed))
  if (read.ok) return read.settings
  for (const mistake of read.mistakes) io.err(`otpmint: ${mistake}\n`)
  return null
}

/** Works on the data directory itself, beside a running server or without one. */
export async function withPorts(
  words: Words,
  io: Io,
  work: (ports: OpenPorts, settings: Settings) => Promise<number>,
): Promise<number> {
  const settings = settingsFor(words, io)
  if (!settings) return exitCodes.wrongSettings
  const opened = await openPorts(settings)
  if (!opened.ok) return tellRefusal(io, opened)
  try {
    return await work(opened.ports, settings)
  } finally {
    opened.close()
  }
}

export function tellRefusal(io: Io, { reasons, exitCode }: Refusal): number {
  for (const reason of reasons) io.err(`otpmint: ${reason}\n`)
  return exitCode
}
