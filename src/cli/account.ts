import type { Account } from '../domain/account/account.ts'
import { findAccount, removeAccount } from '../domain/account/accounts.ts'
import { presentAccount } from '../present/accounts.ts'
import { type Command, jsonFlag } from './command.ts'
import { cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'

export const accountList: Command = {
  name: 'account list',
  summary: 'List the people who may use the dashboard.',
  about: 'In a pipe: tab-separated, without a heading.',
  operands: [],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint account list'],
  run: (args, io) =>
    withPorts(args, io, async ({ accounts }) => {
      const all = await accounts.list()
      if (args.has('json')) printJson(io, { items: all.map(presentAccount) })
      else printTable(io, ['NAME', 'ROLE', 'SECOND STEP', 'LAST SIGN-IN'], all.map(row))
      return exitCodes.done
    }),
}

export const accountRemove: Command = {
  name: 'account remove',
  summary: 'Remove a person’s access to the dashboard.',
  about: [
    'Ends the person’s sessions and links, in the running server too. It may be the last account:',
    '"otpmint dashboard link" lets another person in.',
  ].join('\n'),
  operands: [{ name: 'NAME', help: 'the name, as "otpmint account list" shows it' }],
  flags: dataFlag,
  examples: ['otpmint account remove "Ada Lovelace"'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const { id } = await findAccount(ports, args.operand(0))
      await removeAccount(ports, cliActor, { id, evenLast: true })
      io.out('removed\n')
      return exitCodes.done
    }),
}

function row({ name, role, password, secondStep, signedInAt }: Account): string[] {
  const step = password === null ? 'invited' : secondStep ? 'yes' : 'no'
  return [name, role, step, timeText(signedInAt)]
}
