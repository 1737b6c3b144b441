import { join } from 'node:path'
import type { Seeded } from './support-seed.ts'

export type Load = {
  url: string
  /** One a line: path, tab, body; never used up within the time. */
  requests: string
  authorization: string
  connections: number
  seconds: number
  header?: string
}

export type Loaded = { perSecond: number; p50: number; p99: number; requests: number }

/** wrk with one thread: it takes a third of a core where the bare server takes a whole one. */
export async function load(job: Load): Promise<Loaded> {
  const { url, requests, authorization, connections, seconds, header } = job
  const script = join(import.meta.dir, 'wrk.lua')
  const words = ['-t1', `-c${connections}`, `-d${seconds}`, '-s', script, url, '--']
  const more = header === undefined ? [] : [header]
  const wrk = Bun.spawn(['wrk', ...words, requests, `Bearer ${authorization}`, ...more], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const text = await new Response(wrk.stdout).text()
  const line = text.split('\n').find((candidate) => candidate.startsWith('{'))
  if (!line) throw new Error(`wrk said: ${text}${await new Response(wrk.stderr).text()}`)
  const found = JSON.parse(line)
  if (found.refused > 0 || found.broken > 0) {
    throw new Error(`${found.refused} refused and ${found.broken} broken of ${found.requests}`)
  }
  const { p50, p99 } = found
  return { perSecond: found.requests / found.seconds, p50, p99, requests: found.requests }
}

/**
 * Checks as the default allows them, five for each verification: four wrong codes, then the right
 * one. Those of one verification lie a thousand requests apart, as people are not machines.
 */
export async function writeChecks(file: string, pending: Seeded['pending']): Promise<void> {
  const sink = Bun.file(file).writer()
  for (let from = 0; from < pending.length; from += 1000) {
    const some = pending.slice(from, from + 1000)
    for (let attempt = 0; attempt < 5; attempt++) {
      for (const { id, code } of some) {
        const typed = attempt < 4 ? wrong(code, attempt) : code
        sink.write(`/v1/verifications/${id}/check\t{"code":"${typed}"}\n`)
      }
    }
  }
  await sink.end()
}

function wrong(code: string, attempt: number): string {
  return code.slice(0, -1) + ((Number(code.slice(-1)) + 1 + attempt) % 10)
}

/** Starts for people who were never seen before. */
export async function writeStarts(file: string, name: string, count: number): Promise<void> {
  const sink = Bun.file(file).writer()
  for (let index = 0; index < count; index++) {
    sink.write(`/v1/verifications\t{"to":"person-${index}@${name}.example"}\n`)
  }
  await sink.end()
}
