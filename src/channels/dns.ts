import { Resolver } from 'node:dns/promises'
import type { Dns, Timers } from '../domain/ports.ts'
import { queryTxt } from './dns-txt.ts'

type Options = {
  timers: Timers
  /** Name servers as `address:port`; by default those of the system. */
  servers?: string[]
}

/** The time of one question, with its repetition. */
const answerMaxMs = 5_000
const tryMs = 2_000
const triesMax = 2

/** Asks the name servers of the system; /etc/hosts is not read. */
export function createDns({ timers, servers }: Options): Dns {
  let opened: Resolver | null = null
  const resolver = () => {
    if (opened) return opened
    opened = new Resolver({ timeout: tryMs, tries: triesMax })
    if (servers) opened.setServers(servers)
    return opened
  }
  const ask = <Record>(question: () => Promise<Record[]>) => answer(question, timers)

  return {
    txt: (name) =>
      ask(async () => {
        const records = await queryTxt(name, resolver().getServers(), timers)
        if (records === null) throw new Error('no name server answers')
        return records
      }),
    async mx(name) {
      const records = await ask(() => resolver().resolveMx(name))
      return records?.sort((a, b) => a.priority - b.priority).map((mx) => mx.exchange) ?? null
    },
    async addresses(name) {
      const found = await Promise.all([
        ask(() => resolver().resolve4(name)),
        ask(() => resolver().resolve6(name)),
      ])
      return found.includes(null) ? null : found.flatMap((list) => list ?? [])
    },
  }
}

/** The records of an answer; empty when there are none, null without an answer in time. */
export function answer<Record>(
  question: () => Promise<Record[]>,
  timers: Timers,
  maxMs = answerMaxMs,
): Promise<Record[] | null> {
  return new Promise((done) => {
    const cancelLate = timers.after(maxMs, () => done(null))
    question()
      .catch((error: { code?: unknown }) => {
        return error.code === 'ENOTFOUND' || error.code === 'ENODATA' ? [] : null
      })
      .then(done)
      .finally(cancelLate)
  })
}
