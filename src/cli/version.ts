import { version } from '../version.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { printJson } from './output.ts'

export const versionCommand: Command = {
  name: 'version',
  summary: 'Show the version.',
  about: 'Shows the version of OtpMint and of the runtime inside it.',
  operands: [],
  flags: jsonFlag,
  examples: ['otpmint version'],
  async run(args, io) {
    if (args.has('json')) printJson(io, { version, bun: Bun.version })
    else io.out(`otpmint ${version} (bun ${Bun.version})\n`)
    return exitCodes.done
  },
}
