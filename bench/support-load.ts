import { join } from 'node:path'
import type { Seeded } from './support-seed.ts'

export type Load = {
  url: string
  /** A file of lines, more than the time can use up. */
  requests: string
  authorization: string
  connections: number
  seconds: number
  header?: string
}

export type Loaded = { perSecond: number; p50: number; p99: number; requests: number }

/** wrk with one thread: two thirds of the processor time that the bare server takes. */
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

/** One request as wrk.lua reads it: path, tab, body. */
type Line = string

/**
 * Checks as the default allows them, five for each verification: four wrong codes, then the right
 * one. Those of one verification lie a thousand requests apart, as people are not machines.
 */
export function checkLines(pending: Seeded['pending']): Line[] {
  const lines: Line[] = []
  for (let from = 0; from < pending.length; from += 1000) {
    const some = pending.slice(from, from + 1000)
    for (let attempt = 0; attempt < 5; attempt++) {
      for (const { id, code } of some) {
        const typed = attempt < 4 ? wrong(code, attempt) : code
        lines.push(`/v1/verifications/${id}/check\t{"code":"${typed}"}`)
      }
    }
  }
  return lines
}

function wrong(code: string, attempt: number): string {
  return code.slice(0, -1) + ((Number(code.slice(-1)) + 1 + attempt) % 10)
}

/** Starts for people who were never seen before. */
export function startLines(name: string, count: number): Line[] {
  return Array.from(
    { length: count },
    (_, index) => `/v1/verifications\t{"to":"person-${index}@${name}.example"}`,
  )
}

export type Pace = { url: string; authorization: string; lines: Line[]; perSecond: number }

/**
 * Sends at a fixed rate whatever the answers do; a latency counts from when the request was due,
 * so that a stall is felt by all who would have come during it. Answers milliseconds.
 */
export async function pace({ url, authorization, lines, perSecond }: Pace): Promise<number[]> {
  const headers = { authorization: `Bearer ${authorization}`, 'content-type': 'application/json' }
  const latencies: number[] = []
  const open: Promise<void>[] = []
  const begunAt = performance.now()
  const send = async (line: Line, dueAt: number) => {
    const [path = '', body = ''] = line.split('\t')
    const response = await fetch(url + path, { method: 'POST', headers, body })
    await response.text()
    if (!response.ok) throw new Error(`${path} answered ${response.status}`)
    latencies.push(performance.now() - dueAt)
  }
  for (const [index, line] of lines.entries()) {
    const dueAt = begunAt + (index * 1000) / perSecond
    while (performance.now() < dueAt) await Bun.sleep(1)
    open.push(send(line, dueAt))
  }
  await Promise.all(open)
  return latencies
}
