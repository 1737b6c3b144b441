import './production.ts'
import type { Io } from './cli/io.ts'
import { run } from './cli/run.ts'
import { systemClock } from './clock.ts'
import { createLog } from './log.ts'

// Database, keys and tokens are their owner's only, whatever the shell's habit is.
process.umask(0o077)

const io: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  env: process.env,
  pid: process.pid,
  terminal: {
    input: process.stdin.isTTY === true,
    output: process.stdout.isTTY === true,
    errors: process.stderr.isTTY === true,
  },
  readInput,
  askSecret,
  onStopSignal,
}

process.on('uncaughtException', crash)
process.on('unhandledRejection', crash)
// A reader that went away, as in `otpmint audit verify | head`, is no failure of ours; but a server
// that lost its log ends so that whoever watches it starts it again.
process.stdout.on('error', () => process.exit(process.argv[2] === 'serve' ? 1 : 0))

const code = await run(process.argv.slice(2), io)
// The end, not an empty write: only that waits until a slow reader of a pipe has everything.
process.stdout.end(() => process.exit(code))

/** Fail closed: a process in an unknown state answers nobody. The message may hold a secret. */
function crash(error: unknown): void {
  const log = createLog({ level: 'error', write: io.out, clock: systemClock })
  log.error('crashed', { detail: error instanceof Error ? origin(error) : typeof error })
  process.stdout.write('', () => process.exit(1))
}

/** The kind of an error and where it was thrown, without its message. */
function origin(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  return [error.name, ...frames.slice(0, 5).map((frame) => frame.trim())].join(' ')
}

function onStopSignal(stop: () => void): () => void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  for (const signal of signals) process.on(signal, stop)
  return () => {
    for (const signal of signals) process.off(signal, stop)
  }
}

async function readInput(): Promise<string> {
  return (await Bun.stdin.text()).slice(0, 65_536)
}

/** Raw mode turns the echo off, before anybody can type; keys are read one by one until Enter. */
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
