import { allFlags, type Command } from './command.ts'
import { exitCodes, type Io } from './io.ts'
import { painter } from './output.ts'

/** The page that `otpmint`, `otpmint help` and `otpmint --help` show. */
export function overview(commands: Command[], paint: ReturnType<typeof painter>): string {
  return [
    'OtpMint: one-time codes by mail, self-hosted, in one executable.',
    '',
    `${paint('bold', 'Usage')}  otpmint COMMAND [FLAGS]`,
    '',
    paint('bold', 'Commands'),
    ...columns(commands.map((command) => [usage(command), command.summary])),
    '',
    paint('bold', 'Start here'),
    '  otpmint serve --dev          try it on this machine, nothing to set up',
    '  otpmint COMMAND --help       what a command does, its flags and an example',
    '',
    'Exit status: 0 done, 1 failed, 2 wrong words, 78 wrong settings.',
    '',
  ].join('\n')
}

export function commandHelp(command: Command, paint: ReturnType<typeof painter>): string {
  const flags = Object.entries(allFlags(command)).map(([name, { value, help }]): Row => {
    const head = name === 'help' ? '-h, --help' : `--${name}`
    return [value ? `${head} ${value}` : head, help]
  })
  const operands = command.operands.map(({ name, help }): Row => [name, help])
  return [
    `${paint('bold', 'otpmint')} ${paint('bold', usage(command))}`,
    '',
    command.about,
    '',
    ...(operands.length > 0 ? [paint('bold', 'Operands'), ...columns(operands), ''] : []),
    paint('bold', 'Flags'),
    ...columns(flags),
    '',
    paint('bold', command.examples.length > 1 ? 'Examples' : 'Example'),
    ...command.examples.map((example) => `  ${example}`),
    '',
    ...(command.more ? [command.more()] : []),
  ].join('\n')
}

/** `help [COMMAND]`; the list is asked for late because it holds this command too. */
export function createHelp(list: () => Command[]): Command {
  return {
    name: 'help',
    summary: 'Show what a command does.',
    about: 'Shows the list of commands, or all about one of them.',
    operands: [
      { name: 'COMMAND', help: 'the command, such as "backup"', optional: true },
      { name: 'PART', help: 'its second word, such as "create" of "app create"', optional: true },
    ],
    flags: {},
    examples: ['otpmint help app create'],
    async run(words, io) {
      const name = [words.operand(0), words.operand(1)].filter(Boolean).join(' ')
      const page = helpFor(list(), name, painter(io, io.terminal.output))
      if (page === null) return unknownHelp(name, io)
      io.out(page)
      return exitCodes.done
    },
  }
}

/** The page of a command or of a group such as `app`; null when there is neither. */
export function helpFor(
  commands: Command[],
  name: string,
  paint: ReturnType<typeof painter>,
): string | null {
  if (name === '') return overview(commands, paint)
  const command = commands.find((candidate) => candidate.name === name)
  if (command) return commandHelp(command, paint)
  const group = commands.filter((candidate) => candidate.name.startsWith(`${name} `))
  if (group.length === 0) return null
  const rows = group.map((part): Row => [usage(part), part.summary])
  return [`${paint('bold', `otpmint ${name}`)} ...`, '', ...columns(rows), ''].join('\n')
}

function unknownHelp(name: string, io: Io): number {
  io.err(`otpmint: there is no command "${name}"; "otpmint help" lists them\n`)
  return exitCodes.wrongWords
}

function usage({ name, operands }: Command): string {
  const words = operands.map((operand) => (operand.optional ? `[${operand.name}]` : operand.name))
  return [name, ...words].join(' ')
}

type Row = [string, string]

/** Two columns; a help text of several lines keeps its column. */
function columns(rows: Row[]): string[] {
  const width = Math.max(...rows.map(([head]) => head.length)) + 2
  return rows.flatMap(([head, text]) =>
    text.split('\n').map((line, index) => `  ${(index === 0 ? head : '').padEnd(width)}${line}`),
  )
}
