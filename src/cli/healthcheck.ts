import { systemTimers } from '../system.ts'
import { type Command, wholeNumber } from './command.ts'
import { envFileFlag, settingsFor } from './installation.ts'
import { exitCodes } from './io.ts'

const timeoutMs = 5_000
const retryMs = 200

export const healthcheck: Command = {
  name: 'healthcheck',
  summary: 'Ask the server on this machine whether it is ready.',
  about: [
    'Requests /readyz at the configured host and port: exit status 0 when the database',
    'takes writes and its keys are the right ones, else 1; 78 when the settings are wrong. For',
    'HEALTHCHECK of a container, and for ExecStartPost= of a unit with --wait.',
  ].join('\n'),
  operands: [],
  flags: {
    host: { value: 'HOST', help: 'Its address; else OTPMINT_HOST.' },
    port: { value: 'PORT', help: 'Its port; else OTPMINT_PORT.' },
    wait: {
      value: 'SECONDS',
      help: 'How long to wait until it is ready: 0 (default) to 600.',
    },
    ...envFileFlag,
  },
  examples: ['otpmint healthcheck', 'otpmint healthcheck --wait 20'],
  async run(args, io) {
    const waitMs = wholeNumber(args, 'wait', { min: 0, max: 600, usual: 0 }) * 1000
    const { host, port } = settingsFor(args, io)
    const url = `http://${reachable(host)}:${port}/readyz`
    const until = systemTimers.monotonic() + waitMs
    for (;;) {
      const fault = await faultOf(url)
      if (fault === null) {
        io.out('ready\n')
        return exitCodes.done
      }
      if (systemTimers.monotonic() >= until) {
        io.err(`otpmint healthcheck: ${fault}\n`)
        return exitCodes.failed
      }
      await systemTimers.sleep(retryMs)
    }
  },
}

/** Why the server is not ready, as a sentence; null when it is. */
async function faultOf(url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.timeout(timeoutMs),
      redirect: 'manual',
      // A proxy of the environment could not reach this machine's loopback.
      proxy: false,
    })
    return answer.ok ? null : `${url} answers ${answer.status}: not ready`
  } catch {
    return `nothing answers at ${url}`
  }
}

/** The loopback address where the server listens on every address; IPv6 in brackets. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
