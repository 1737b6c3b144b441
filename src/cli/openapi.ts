import { openApi } from '../runtime/openapi.ts'
import type { Command } from './command.ts'
import { exitCodes } from './io.ts'
import { settingsFor } from './open.ts'
import { printJson } from './output.ts'

export const openapi: Command = {
  name: 'openapi',
  summary: 'Print the description of the API as OpenAPI JSON.',
  about: [
    'Prints what a running server answers at /swagger/json, without starting one: to generate',
    'clients from, or to compare two versions.',
  ].join('\n'),
  operands: [],
  flags: {
    'public-url': { value: 'URL', help: 'The URL it names; else OTPMINT_PUBLIC_URL.' },
  },
  examples: ['otpmint openapi > otpmint-openapi.json'],
  async run(words, io) {
    const settings = settingsFor(words, io)
    if (!settings) return exitCodes.wrongSettings
    printJson(io, await openApi(settings))
    return exitCodes.done
  },
}
