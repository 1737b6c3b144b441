import './production.ts'
import { readFileSync } from 'node:fs'
import type { Io } from './cli/io.ts'
import { run } from './cli/run.ts'
import { createLineSink, createLog } from './log.ts'
import { systemClock } from './system.ts'

/** How long an ending server waits for its last log lines to be written, in ms. */
const lastLinesMs = 1_000

// Database, keys and tokens are readable by their owner only, whatever the shell's umask.
process.umask(0o077)

const serves = process.argv[2] === 'serve'
// A server goes on without a reader of its log; any other command waits for a slow one.
const sink = serves ? createLineSink(process.stdout) : null
// A reader that went away, as in `otpmint audit verify | head`, is no failure of the command.
if (!serves) process.stdout.on('error', () => process.exit(0))
process.stderr.on('error', () => {})

const io: Io = {
  out: (text) => void (sink ? sink.write(text) : process.stdout.write(text)),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  pid: process.pid,
  terminal: {
    input: process.stdin.isTTY === true,
    output: process.stdout.isTTY === true,
    errors: process.stderr.isTTY === true,
  },
  readInput,
  readMessage,
  askSecret,
  ...editor(),
  onStopSignal,
  lostLines: () => sink?.lost() ?? 0,
}

process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)
end(await run(process.argv.slice(2), io))

/**
 * Ends the process once all output is written, because only the end of a stream waits for a slow
 * reader; with `inAnyCase` it waits for a second at most.
 */
function end(code: number, inAnyCase = serves): void {
  process.stdout.end(() => process.exit(code))
  if (inAnyCase) setTimeout(() => process.exit(code), lastLinesMs)
}

/** Ends the process after an unexpected error; its message may have a secret and is not printed. */
function crash(error: unknown): void {
  const log = createLog({ level: 'error', write: io.out, clock: systemClock })
  log.error('crashed', { detail: error instanceof Error ? origin(error) : typeof error })
  end(1, true)
}

/** The kind of an error and where it was thrown, without its message. */
function origin(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [error.name, ...frames.slice(0, 5).map((frame) => frame.trim())].join(' ')
}

function onStopSignal(stop: () => void): () => void {
  const signals = ignoresHangup()
    ? (['SIGTERM', 'SIGINT'] as const)
    : (['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
  for (const signal of signals) process.on(signal, stop)
  return () => {
    for (const signal of signals) process.off(signal, stop)
  }
}

/** True under `nohup`, which has SIGHUP ignored: a handler would undo that. */
function ignoresHangup(): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return (Number.parseInt(mask?.slice(-1) ?? '0', 16) & 1) === 1
  } catch {
    return false
  }
}

async function readInput(): Promise<string> {
  return (await Bun.stdin.text()).slice(0, 65_536)
}

/** Reads no further than the limit, because a pipe may have no end. */
async function readMessage(bytesMax: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of Bun.stdin.stream()) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The person's editor, at a terminal; its name may have arguments, as in `code --wait`. */
function editor(): Pick<Io, 'edit'> {
  const command = process.env['VISUAL'] || process.env['EDITOR']
  if (!command || !process.stdin.isTTY) return {}
  return {
    async edit(path) {
      const args = ['sh', '-c', `${command} "$1"`, 'sh', path]
      const child = Bun.spawn(args, { stdio: ['inherit', 'inherit', 'inherit'] })
      return (await child.exited) === 0
    },
  }
}

/** Asks for a secret in raw mode, which turns the echo off; reads keys until Enter. */
function askSecret(question: string): Promise<string | null> {
  const { stdin } = process
  stdin.setRawMode(true)
  process.stderr.write(question)
  stdin.setEncoding('utf8')
  return new Promise((resolve) => {
    let typed = ''
    const finish = (answer: string | null) => {
      stdin.off('data', read)
      stdin.setRawMode(false)
      stdin.pause()
      process.stderr.write('\n')
      resolve(answer)
    }
    const read = (keys: string) => {
      for (const key of keys) {
        if (key === '\r' || key === '\n') return finish(typed)
        if (key === '\u0003' || key === '\u0004') return finish(null)
        typed = key === '\u007f' ? typed.slice(0, -1) : typed + key
      }
    }
    stdin.on('data', read)
    stdin.resume()
  })
}
