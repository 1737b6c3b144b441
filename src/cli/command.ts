import { parseArgs } from 'node:util'
import { nearest } from '../runtime/settings.ts'
import type { Io } from './io.ts'

/** One command: what is parsed, what its help says and what it does all come from here. */
export type Command = {
  /** As it is typed: `app create`. */
  name: string
  /** One line for the list of commands. */
  summary: string
  /** What it does, for a person who never saw it; lines of at most 80 columns. */
  about: string
  operands: Operand[]
  flags: Record<string, Flag>
  examples: string[]
  /** What follows the help page, where it is long. */
  more?: () => string
  run(words: Words, io: Io): Promise<number>
}

export type Operand = { name: string; help: string; optional?: true }

/** `value` is the placeholder of what the flag takes; a flag without one is a switch. */
export type Flag = { help: string; value?: string }

/** What was typed, checked against the command's operands and flags. */
export type Words = {
  operand(index: number): string
  text(flag: string): string | undefined
  has(flag: string): boolean
}

export const jsonFlag: Record<string, Flag> = { json: { help: 'Print JSON for programs.' } }
const helpFlag: Record<string, Flag> = { help: { help: 'Show this page.' } }

export function allFlags(command: Command): Record<string, Flag> {
  return { ...command.flags, ...helpFlag }
}

/** A mistake is one sentence in words of ours and names of flags; values are never repeated. */
export function parseWords(
  command: Command,
  argv: string[],
): { ok: true; words: Words } | { ok: false; mistake: string } {
  const flags = allFlags(command)
  const { values, positionals, tokens } = parseArgs({
    args: argv,
    options: Object.fromEntries(
      Object.entries(flags).map(([name, { value }]) => [
        name,
        { type: value ? ('string' as const) : ('boolean' as const) },
      ]),
    ),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind !== 'option' || token.rawName === '-h') continue
    const mistake = flagMistake(flags, token)
    if (mistake) return { ok: false, mistake }
  }
  const help = values['help'] === true || tokens.some((token) => isShortHelp(token))
  const mistake = help ? null : operandMistake(command, positionals)
  if (mistake) return { ok: false, mistake }

  const text = (flag: string) => {
    const value = values[flag]
    return typeof value === 'string' ? value : undefined
  }
  const has = (flag: string) => (flag === 'help' ? help : values[flag] !== undefined)
  return { ok: true, words: { operand: (index) => positionals[index] ?? '', text, has } }
}

type OptionToken = {
  name: string
  rawName: string
  value?: string | undefined
  inlineValue?: boolean | undefined
}

function isShortHelp(token: { kind: string; rawName?: string }): boolean {
  return token.kind === 'option' && token.rawName === '-h'
}

function flagMistake(flags: Record<string, Flag>, token: OptionToken): string | null {
  const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined
  if (!flag) {
    const meant = nearest(token.name, Object.keys(flags))
    return `there is no flag ${token.rawName}${meant ? `; did you mean --${meant}?` : ''}`
  }
  if (!flag.value) return token.inlineValue ? `--${token.name} takes no value` : null
  const isFlagLike = !token.inlineValue && /^-./.test(token.value ?? '')
  return token.value === undefined || isFlagLike ? `--${token.name} needs ${flag.value}` : null
}

function operandMistake({ operands }: Command, positionals: string[]): string | null {
  const needed = operands.filter(({ optional }) => !optional)
  const missing = needed[positionals.length]
  if (missing) return `${missing.name} is missing: ${missing.help}`
  if (positionals.length > operands.length) {
    const most = operands.length === 0 ? 'no operands' : operands.map(({ name }) => name).join(' ')
    return `there are too many words; it takes ${most}`
  }
  return null
}
