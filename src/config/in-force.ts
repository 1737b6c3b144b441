import type { SettingInForce } from '../domain/server.ts'
import { defaultOf, plain } from './describe.ts'
import type { Listen, Option } from './kinds.ts'
import type { Environment, Flags } from './load.ts'
import { type OptionName, optionList, type Values } from './options.ts'

type Sources = { environment: Environment; flags: Flags; fromFiles: Set<OptionName> }

/** Every setting in the order of the documentation, and where it came from; no secret's value. */
export function settingsInForce(values: Values, sources: Sources): SettingInForce[] {
  return optionList.map(([name, option]) => ({
    name,
    section: option.section,
    value: textOf(option, values[name]),
    source: sourceOf(name, option, sources),
    says: plain(option.description),
  }))
}

/** The list with settings that the command has changed by itself. */
export function setByCommand(
  inForce: SettingInForce[],
  changed: Partial<Record<OptionName, string>>,
): SettingInForce[] {
  return inForce.map((setting) => {
    const value = changed[setting.name as OptionName]
    return value === undefined ? setting : { ...setting, value, source: 'command' }
  })
}

function sourceOf(
  name: OptionName,
  { flag, secret }: Option,
  { environment, flags, fromFiles }: Sources,
): SettingInForce['source'] {
  if (flag !== undefined && flags[flag] !== undefined) return 'flag'
  if (fromFiles.has(name)) return 'file'
  const text = environment[name]
  // An empty variable counts as not set.
  return text === undefined || (!secret && text.trim() === '') ? 'default' : 'environment'
}

function textOf(option: Option, value: unknown): string {
  if (value === null && option.default !== null) return 'off'
  if (value === null || (Array.isArray(value) && value.length === 0))
    return plain(defaultOf(option))
  if (option.secret) return '(set)'
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value === 'object') return listenText(value as Listen)
  return String(value)
}

function listenText({ host, port }: Listen): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
