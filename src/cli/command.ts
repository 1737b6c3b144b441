import { parseArgs } from 'node:util'
import { nearest } from '../nearest.ts'
import { StartupError } from '../startup-error.ts'
import { exitCodes, type Io } from './io.ts'

/** One command. Parsing, help and the list of commands all come from this description. */
export type Command = {
  /** As it is typed: `app create`. */
  name: string
  /** One line for the list of commands. */
  summary: string
  /** What it does, for a new user; lines of at most 100 columns. */
  about: string
  operands: Operand[]
  flags: Flags
  examples: string[]
  /** Further text at the end of the help page. */
  more?: () => string
  run(args: Args, io: Io): Promise<number>
}

/** `many`: the last operand, which may be repeated. */
export type Operand = { name: string; help: string; optional?: true; many?: true }

/** `value` is the placeholder of the flag's value; a flag without one is a switch. */
export type Flag = { help: string; value?: string }
export type Flags = Record<string, Flag>

/** The arguments, checked against the command's operands and flags. */
export type Args = {
  operand(index: number): string
  /** That operand and those after it. */
  operands(from: number): string[]
  text(flag: string): string | undefined
  has(flag: string): boolean
}

export const jsonFlag: Flags = { json: { help: 'Print JSON, with the field names of the API.' } }
const helpFlag: Flags = { help: { help: 'Show this page.' } }

export function allFlags(command: Command): Flags {
  return { ...command.flags, ...helpFlag }
}

/** The error for wrong usage: exit status 2. The reason names flags and repeats no value. */
export function wrongUsage(reason: string): StartupError {
  return new StartupError(exitCodes.usage, [reason])
}

/** Throws `wrongUsage` for the first flag or operand that the command does not take. */
export function readArgs(command: Command, argv: string[]): Args {
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
    if (token.kind === 'option' && token.rawName !== '-h') checkFlag(flags, token)
  }
  const help = values['help'] === true || tokens.some((token) => isShortHelp(token))
  if (!help) checkOperands(command, positionals)

  return {
    operand: (index) => positionals[index] ?? '',
    operands: (from) => positionals.slice(from),
    text: (flag) => {
      const value = values[flag]
      return typeof value === 'string' ? value : undefined
    },
    has: (flag) => (flag === 'help' ? help : values[flag] !== undefined),
  }
}

/** The value of a flag that takes one of these words. Throws `wrongUsage` for another. */
export function oneOf<const Word extends string>(
  args: Args,
  flag: string,
  words: readonly Word[],
): Word | undefined {
  const text = args.text(flag)
  const word = words.find((candidate) => candidate === text)
  if (text !== undefined && word === undefined) {
    throw wrongUsage(`--${flag} must be one of ${words.join(', ')}`)
  }
  return word
}

/** The value of a flag that takes a whole number. Throws `wrongUsage` for anything else. */
export function wholeNumber(
  args: Args,
  flag: string,
  { min, max, usual }: { min: number; max: number; usual: number },
): number {
  const text = args.text(flag)
  if (text === undefined) return usual
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw wrongUsage(`--${flag} must be a whole number from ${min} to ${max}`)
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

function checkFlag(flags: Flags, token: OptionToken): void {
  const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : undefined
  if (!flag) {
    const meant = nearest(token.name, Object.keys(flags))
    const hint = meant ? `; did you mean --${meant}?` : ''
    throw wrongUsage(`there is no flag ${token.rawName}${hint}`)
  }
  if (!flag.value) {
    if (token.inlineValue) throw wrongUsage(`--${token.name} takes no value`)
    return
  }
  const isFlagLike = !token.inlineValue && /^-./.test(token.value ?? '')
  if (token.value === undefined || isFlagLike) {
    throw wrongUsage(`--${token.name} needs ${flag.value}`)
  }
}

function checkOperands({ operands }: Command, positionals: string[]): void {
  const needed = operands.filter(({ optional }) => !optional)
  const missing = needed[positionals.length]
  if (missing) throw wrongUsage(`${missing.name} is missing: ${missing.help}`)
  if (positionals.length > operands.length && !operands.at(-1)?.many) {
    const most = operands.length === 0 ? 'no operands' : operands.map(({ name }) => name).join(' ')
    throw wrongUsage(`there are too many words; it takes ${most}`)
  }
}
