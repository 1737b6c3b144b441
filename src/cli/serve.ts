import { describeSettings } from '../config/describe.ts'
import { type Running, type RuntimeIo, startRuntime } from '../runtime.ts'
import type { Command } from './command.ts'
import { settingsFor } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { serveDev } from './serve-dev.ts'

export const serve: Command = {
  name: 'serve',
  summary: 'Run the server.',
  about: [
    'Runs the server until SIGTERM, SIGINT or SIGHUP: then it is not ready any more, finishes',
    'running requests, keeps queued mail, and ends. A second signal ends it at once. Logs are',
    'JSON lines on standard output. The first start makes the data directory, a master key and an',
    'admin token.',
    '',
    '--dev is developer mode, which needs no settings: loopback only, a temporary data directory',
    'unless one is named, open registration for any mail server, reasons in error answers, an app',
    'with a test key, an inbox page in place of a mail server, and curl lines to copy for /v1 and',
    'for the original API.',
  ].join('\n'),
  operands: [],
  flags: {
    dev: { help: 'Developer mode, on this machine only.' },
    host: { value: 'HOST', help: 'The address to listen on; else OTPMINT_HOST.' },
    port: { value: 'PORT', help: 'The port to listen on, 0 for a free one; else OTPMINT_PORT.' },
    'public-url': { value: 'URL', help: 'Its public URL; else OTPMINT_PUBLIC_URL.' },
    'data-dir': { value: 'DIR', help: 'The data directory; else OTPMINT_DATA_DIR.' },
    'log-level': { value: 'LEVEL', help: 'debug, info, warn or error; else OTPMINT_LOG_LEVEL.' },
  },
  examples: ['otpmint serve --dev', 'OTPMINT_DATA_DIR=/var/lib/otpmint otpmint serve --port 8080'],
  more: () => `Settings (environment)\n\n${describeSettings()}`,
  async run(args, io) {
    const settings = settingsFor(args, io)
    if (args.has('dev')) return serveDev(settings, args, io)
    return untilStopped(io, () => startRuntime(settings, runtimeIoOf(io)))
  },
}

export function runtimeIoOf({ out, err, env, pid, terminal, lostLines }: Io): RuntimeIo {
  return {
    write: out,
    tell: terminal.errors ? (text) => err(`${text}\n`) : null,
    pid,
    environment: env,
    // systemd separates several with colons; the first is ours.
    runtimeDirectory: env['RUNTIME_DIRECTORY']?.split(':')[0] || null,
    lostLines,
  }
}

/** Serves until the first stop signal; a second one ends it without waiting. */
export async function untilStopped(
  io: Io,
  start: () => Promise<Running>,
  started: (running: Running) => Promise<void> = async () => {},
): Promise<number> {
  const signals = stopSignals(io)
  try {
    const running = await start()
    await started(running)
    await signals.first
    return await Promise.race([
      running.stop().then(() => exitCodes.done),
      signals.second.then(() => exitCodes.failed),
    ])
  } finally {
    signals.end()
  }
}

function stopSignals(io: Io) {
  const first = Promise.withResolvers<void>()
  const second = Promise.withResolvers<void>()
  let count = 0
  const end = io.onStopSignal(() => {
    count += 1
    if (count === 1) first.resolve()
    else second.resolve()
  })
  return { first: first.promise, second: second.promise, end }
}
