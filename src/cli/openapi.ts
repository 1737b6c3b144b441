import { openApi } from '../runtime/openapi.ts'
import type { Command } from './command.ts'
import { exitCodes } from './io.ts'
import { printJson } from './output.ts'

export const openapi: Command = {
  name: 'openapi',
  summary: 'Print the description of the API as OpenAPI JSON.',
  about: [
    'Prints what a running server answers at /swagger/json, without starting one: to generate',
    'clients from, or to compare two versions.',
  ].join('\n'),
  operands: [],
  flags: {},
  examples: ['otpmint openapi > otpmint-openapi.json'],
  async run(_args, io) {
    printJson(io, await openApi())
    return exitCodes.done
  },
}
