import { Problem } from '../domain/problem.ts'
import { nearest } from '../nearest.ts'
import { StartupError } from '../startup-error.ts'
import { type Args, type Command, readArgs } from './command.ts'
import { commands } from './commands.ts'
import { helpFor } from './help.ts'
import { appOperand } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { painter } from './output.ts'

/** Runs the command line; returns the exit status. Any exception is a bug. */
export async function run(argv: string[], io: Io): Promise<number> {
  const [first = ''] = argv
  if (first === '--version' || first === '-V') return run(['version', ...argv.slice(1)], io)
  if (first === '--help' || first === '-h') return run(['help', ...argv.slice(1)], io)

  const found = findCommand(argv)
  return found ? runCommand(found.command, found.rest, io) : explain(argv, io)
}

/** Runs a command, and converts its errors to text and an exit status. */
async function runCommand(command: Command, rest: string[], io: Io): Promise<number> {
  let args: Args
  try {
    args = readArgs(command, rest)
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    const status = tellStartupError(error, command, io)
    io.err(`"otpmint ${command.name} --help" shows what it takes\n`)
    return status
  }
  if (args.has('help')) {
    io.out(helpFor(commands, command.name, painter(io, io.terminal.output)) ?? '')
    return exitCodes.done
  }
  try {
    return await command.run(args, io)
  } catch (error) {
    if (error instanceof Problem) return tellProblem(error, command, io)
    if (error instanceof StartupError) return tellStartupError(error, command, io)
    throw error
  }
}

/** A command that takes an app may be typed with `app` before it: `app endpoint list`. */
function findCommand(argv: string[]): { command: Command; rest: string[] } | null {
  for (const count of [2, 1]) {
    const name = argv.slice(0, count).join(' ')
    const command = commands.find((candidate) => candidate.name === name)
    if (command) return { command, rest: argv.slice(count) }
  }
  const [first, ...rest] = argv
  const found = first === 'app' ? findCommand(rest) : null
  return found?.command.operands[0] === appOperand ? found : null
}

/** No command was found: shows a group's page, suggests the nearest command, or the overview. */
function explain(argv: string[], io: Io): number {
  const [first = '', second = ''] = argv
  const isGroup = commands.some(({ name }) => name.startsWith(`${first} `))
  const typed = second === '' || second.startsWith('-') ? first : `${first} ${second}`
  if (isGroup && (second === '--help' || second === '-h')) {
    io.out(helpFor(commands, first, painter(io, io.terminal.output)) ?? '')
    return exitCodes.done
  }
  if (first === '' || (isGroup && typed === first)) {
    io.err(helpFor(commands, first, painter(io, io.terminal.errors)) ?? '')
    return exitCodes.usage
  }
  const names = commands.map(({ name }) => name)
  const meant = nearest(typed, names) ?? nearest(first, names)
  const hint = meant ? `; did you mean "otpmint ${meant}"?` : ''
  io.err(`otpmint: there is no command ${quoted(typed)}${hint}\n"otpmint help" lists them\n`)
  return exitCodes.usage
}

/** The typed text, at most forty printable characters of it. */
function quoted(typed: string): string {
  return `"${typed.replace(/[\p{Cc}\p{Cf}]/gu, ' ').slice(0, 40)}"`
}

function tellStartupError({ exitCode, reasons }: StartupError, command: Command, io: Io): number {
  const who = exitCode === exitCodes.usage ? `otpmint ${command.name}` : 'otpmint'
  for (const reason of reasons) io.err(`${who}: ${reason}\n`)
  return exitCode
}

function tellProblem(problem: Problem, command: Command, io: Io): number {
  const { errors = [] } = problem.extra
  if (errors.length === 0) io.err(`otpmint ${command.name}: ${problem.message}\n`)
  for (const { field, reason } of errors) {
    io.err(`otpmint ${command.name}: ${flagFor(command, field)} ${reason}\n`)
  }
  return problem.code === 'invalid_request' ? exitCodes.usage : exitCodes.failed
}

/** The flag that sets a field of the wire: `--smtp-from-name` for `email.from_name`. */
function flagFor(command: Command, field: string): string {
  const name = field
    .replaceAll('_', '-')
    .replace(/^policy\./, '')
    .replace(/^email\./, 'smtp-')
  const flag = [name, `${name}-file`].find((known) => Object.hasOwn(command.flags, known))
  return flag ? `--${flag}` : field
}
