import { allFlags, type Command, wrongUsage } from './command.ts'
import { exitCodes } from './io.ts'
import { painter } from './output.ts'

type Paint = ReturnType<typeof painter>

const columnsMax = 100

/** The page that `otpmint`, `otpmint help` and `otpmint --help` show. */
function overview(commands: Command[], paint: Paint): string {
  return [
    'OtpMint: one-time codes by mail and other channels, self-hosted, in one executable.',
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
    'Exit status: 0 done, 1 failed, 2 wrong usage, 78 wrong settings.',
    '',
  ].join('\n')
}

function commandHelp(command: Command, paint: Paint): string {
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

/** `help [COMMAND]`. The list is a function because it contains this command too. */
export function createHelp(list: () => Command[]): Command {
  return {
    name: 'help',
    summary: 'Show what a command does.',
    about: 'Shows the list of commands, or the help of one command.',
    operands: [
      { name: 'COMMAND', help: 'the command, such as "backup"', optional: true },
      { name: 'PART', help: 'its second word, such as "create" of "app create"', optional: true },
    ],
    flags: {},
    examples: ['otpmint help app create'],
    async run(args, io) {
      const name = [args.operand(0), args.operand(1)].filter(Boolean).join(' ')
      const page = helpFor(list(), name, painter(io, io.terminal.output))
      if (page === null) throw wrongUsage('there is no such command; "otpmint help" lists them')
      io.out(page)
      return exitCodes.done
    },
  }
}

/** The page of a command or of a group such as `app`; null when there is neither. */
export function helpFor(commands: Command[], name: string, paint: Paint): string | null {
  if (name === '') return overview(commands, paint)
  const command = commands.find((candidate) => candidate.name === name)
  if (command) return commandHelp(command, paint)
  const group = commands.filter((candidate) => candidate.name.startsWith(`${name} `))
  if (group.length === 0) return null
  const rows = group.map((part): Row => [usage(part), part.summary])
  return [`${paint('bold', `otpmint ${name}`)} ...`, '', ...columns(rows), ''].join('\n')
}

function usage({ name, operands }: Command): string {
  const words = operands.map((operand) => {
    const word = operand.many ? `${operand.name}...` : operand.name
    return operand.optional ? `[${word}]` : word
  })
  return [name, ...words].join(' ')
}

type Row = [head: string, text: string]

/** Two columns; the text is wrapped within its own. */
function columns(rows: Row[]): string[] {
  const width = Math.max(...rows.map(([head]) => head.length)) + 2
  return rows.flatMap(([head, text]) =>
    wrap(text, columnsMax - width - 2).map((line, index) => {
      return `  ${(index === 0 ? head : '').padEnd(width)}${line}`
    }),
  )
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
