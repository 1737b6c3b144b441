import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Io } from '../../src/cli/io.ts'
import { run } from '../../src/cli/run.ts'
import type { Dns } from '../../src/domain/ports.ts'
import { dnsOf } from '../support/dns.ts'

export type Terminal = Io & {
  /** Everything that has been written so far. */
  output(): string
  errors(): string
  /** Stops the command as SIGTERM does. */
  signal(): void
  /** Resolves with the first log line of this event. */
  logged(event: string): Promise<Record<string, string>>
}

type Given = {
  env?: Record<string, string>
  isTerminal?: boolean
  input?: string
  secret?: string | null
  dns?: Dns
  /** What the person makes of the file in an editor; null when the editor fails. */
  edited?: (text: string, path: string) => string | null
}

/** The input and output of a command: recorded streams, one answer at the prompt, its own DNS. */
export function terminal(given: Given = {}) {
  const { env = {}, isTerminal = false, input = '', secret = null, dns = dnsOf() } = given
  let output = ''
  let errors = ''
  const stops = new Set<() => void>()
  const waiting: { event: string; resolve(line: Record<string, string>): void }[] = []
  const lineOf = (event: string) =>
    output.split('\n').find((line) => line.includes(`"event":"${event}"`))
  const io: Terminal = {
    out: (text) => {
      output += text
      for (const { event, resolve } of waiting) {
        const line = lineOf(event)
        if (line) resolve(JSON.parse(line))
      }
    },
    err: (text) => {
      errors += text
    },
    env: { OTPMINT_METRICS_LISTEN: 'off', OTPMINT_DASHBOARD_LISTEN: '127.0.0.1:0', ...env },
    pid: 4242,
    terminal: { input: isTerminal, output: isTerminal, errors: isTerminal },
    readInput: async () => input,
    readMessage: async (bytesMax) => {
      const message = Buffer.from(input, 'latin1')
      return message.length > bytesMax ? null : message
    },
    askSecret: async () => secret,
    ...(given.edited && {
      edit: async (path) => {
        const text = given.edited?.(await Bun.file(path).text(), path) ?? null
        if (text !== null) await Bun.write(path, text)
        return text !== null
      },
    }),
    onStopSignal: (stop) => {
      stops.add(stop)
      return () => stops.delete(stop)
    },
    lostLines: () => 0,
    dns,
    output: () => output,
    errors: () => errors,
    signal: () => {
      for (const stop of stops) stop()
    },
    logged: (event) =>
      new Promise((resolve) => {
        const line = lineOf(event)
        if (line) resolve(JSON.parse(line))
        else waiting.push({ event, resolve })
      }),
  }
  return io
}

/** Runs a command to its end. */
export async function command(argv: string[], given: Given = {}) {
  const io = terminal(given)
  const code = await run(argv, io)
  return { code, out: io.output(), err: io.errors() }
}

export type Served = {
  url: string
  io: Terminal
  /** Stops it; returns the exit code. */
  stop(): Promise<number>
}

/** Starts a server on a free port; throws its output when it does not start. */
export async function served(argv: string[], given: Given = {}): Promise<Served> {
  const io = terminal(given)
  const ended = run(['serve', '--port', '0', ...argv], io)
  const listening = io.logged('listening')
  const first = await Promise.race([listening, ended])
  if (typeof first === 'number') throw new Error(`serve ended with ${first}: ${io.errors()}`)
  return {
    url: first['url'] ?? '',
    io,
    stop: () => {
      io.signal()
      return ended
    },
  }
}

/** A directory that is removed after the test. */
export function temporary() {
  const path = mkdtempSync(join(tmpdir(), 'otpmint-test-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** Makes a data directory with database, key and token, as a first start leaves it. */
export async function installation() {
  const directory = temporary()
  const dataDir = join(directory.path, 'data')
  const server = await served(['--data-dir', dataDir])
  await server.stop()
  return { ...directory, dataDir, at: ['--data-dir', dataDir] }
}
