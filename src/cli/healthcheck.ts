import type { Command } from './command.ts'
import { exitCodes } from './io.ts'
import { dataFlag, settingsFor } from './open.ts'

const timeoutMs = 5_000

export const healthcheck: Command = {
  name: 'healthcheck',
  summary: 'Ask the server on this machine whether it is ready.',
  about: [
    'Asks the server at the configured host and port for /readyz: exit status 0 when its database',
    'takes writes and its keys are the right ones, else 1. For HEALTHCHECK of a container.',
  ].join('\n'),
  operands: [],
  flags: {
    host: { value: 'HOST', help: 'Its address; else OTPMINT_HOST.' },
    port: { value: 'PORT', help: 'Its port; else OTPMINT_PORT.' },
    ...dataFlag,
  },
  examples: ['otpmint healthcheck'],
  async run(words, io) {
    const settings = settingsFor(words, io)
    if (!settings) return exitCodes.wrongSettings
    const url = `http://${reachable(settings.host)}:${settings.port}/readyz`
    try {
      const answer = await fetch(url, {
        signal: AbortSignal.timeout(timeoutMs),
        redirect: 'manual',
        // A proxy of the environment knows nothing of this machine's loopback.
        proxy: false,
      })
      if (answer.ok) {
        io.out('ready\n')
        return exitCodes.done
      }
      io.err(`otpmint healthcheck: ${url} answers ${answer.status}: not ready\n`)
    } catch {
      io.err(`otpmint healthcheck: nothing answers at ${url}\n`)
    }
    return exitCodes.failed
  },
}

/** Every address of the machine is reached by its loopback one; IPv6 is bracketed. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
