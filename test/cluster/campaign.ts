import {
  createLoad,
  inParallel,
  type Load,
  misdirected,
  random,
  sample,
  sentTooOften,
  undelivered,
} from '../e2e/kill-load.ts'
import { type MailSink, mailSink } from '../e2e/mail-sink.ts'
import type { PatroniCluster } from '../postgres/patroni.ts'
import { eventually } from '../support/executable.ts'
import type { Nodes } from './nodes.ts'

/** Something that is broken for a while; answers when all is whole again. */
export type Fault = { name: string; run(): Promise<void> }

export type Report = {
  faults: Record<string, number>
  /** The longest time without an acknowledgement, after each fault. */
  longestGapMs: Record<string, number>
  started: number
  approved: number
  attemptsSpent: number
  unanswered: number
  mails: number
  mailsTwice: number
}

/** The settings of nodes that a load is run against. */
export const loadSettings = {
  OTPMINT_LIMIT_APP_STARTS_PER_MINUTE: '1000000',
  OTPMINT_RESEND_AFTER_SECONDS: '5',
  OTPMINT_ATTEMPTS_MAX: '5',
}

/**
 * Runs a load through HAProxy while one fault after another happens. Then compares every node's view
 * of every verification with what was acknowledged, waits for what is not sent yet, and uses each
 * code twice. Throws with the broken promises.
 */
export async function campaign(nodes: Nodes, faults: Fault[]): Promise<Report> {
  const sink = await mailSink(() => random(40))
  const { liveKey } = await nodes.createApp({ port: sink.port })
  const load = createLoad(liveKey, sink, { workers: 8, isBroken: true })
  const gaps: Record<string, number> = {}
  const counts: Record<string, number> = {}
  const ends = new AbortController()
  const working = load.run(nodes.base, ends.signal)
  try {
    for (const { name, run } of faults) {
      await untilServed(load)
      const from = load.acknowledged.length - 1
      await run()
      await untilServed(load)
      counts[name] = (counts[name] ?? 0) + 1
      gaps[name] = Math.max(gaps[name] ?? 0, longestGapMs(load.acknowledged.slice(from)))
      expectNone(load.violations)
    }
  } finally {
    ends.abort()
    await working
  }
  await judge(nodes, load, sink)
  await sink.close()
  return { faults: counts, longestGapMs: gaps, ...totals(load, sink) }
}

/** Waits until things are acknowledged again. */
async function untilServed({ acknowledged }: Load): Promise<void> {
  const before = acknowledged.length
  await eventually(() => acknowledged.length > before + 20, 60_000)
}

function longestGapMs(times: number[]): number {
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at))
  return Math.round(Math.max(0, ...gaps))
}

async function judge(nodes: Nodes, load: Load, sink: MailSink): Promise<void> {
  for (const { base } of nodes.list) {
    await inParallel(sample(load.all, 300), (known) => load.compare(base, known))
  }
  await inParallel(load.all, (known) => load.compare(nodes.base, known))
  await eventually(() => undelivered(load, sink).length === 0, 60_000)
  // Every unused code is still accepted once, and every used one is refused.
  await inParallel(load.all, (known) => load.checkRight(nodes.base, known))
  await inParallel(load.all, (known) => load.checkRight(nodes.base, known))

  expectNone(load.violations)
  expectNone(misdirected(load, sink))
  expectNone(sentTooOften(load, sink))
}

function expectNone(broken: string[]): void {
  if (broken.length > 0) throw new Error(`${broken.length}: ${broken.slice(0, 5).join('\n')}`)
}

function totals({ all, unanswered }: Load, { mails, to }: MailSink) {
  const started = all.filter(({ id }) => id !== null)
  return {
    started: started.length,
    approved: started.filter(({ approved }) => approved === 'yes').length,
    attemptsSpent: started.reduce((sum, { spentAtLeast }) => sum + spentAtLeast, 0),
    unanswered: unanswered(),
    mails: mails.length,
    mailsTwice: all.filter((known) => to(known.to).length > 1 + known.resends).length,
  }
}

/** `kill -9` of a random node, and its start after a while. */
export function killOfNode(nodes: Nodes): Fault {
  return {
    name: 'kill -9 of a node',
    async run() {
      const number = random(nodes.list.length)
      await nodes.list[number]?.kill()
      await Bun.sleep(random(500))
      await nodes.restart(number)
    },
  }
}

/** SIGSTOP of a random node; from 15 s on, the others take its work over. */
export function stopOfNode(nodes: Nodes, forMs: number): Fault {
  return {
    name: `SIGSTOP of a node for ${forMs / 1000} s`,
    async run() {
      const { pid = 0 } = nodes.list[random(nodes.list.length)] ?? {}
      process.kill(pid, 'SIGSTOP')
      await Bun.sleep(forMs)
      process.kill(pid, 'SIGCONT')
    },
  }
}

/** `kill -9` of every process of the primary; Patroni lets the standby take over. */
export function killOfPrimary(cluster: PatroniCluster): Fault {
  return {
    name: 'kill -9 of the primary',
    async run() {
      const killed = await cluster.primary()
      killed.killPostgres()
      await untilReplaced(cluster, killed.name)
      await cluster.untilRedundant()
    },
  }
}

/** `kill -9` of the primary and its Patroni: the machine is gone until the lock has expired. */
export function lossOfPrimary(cluster: PatroniCluster): Fault {
  return {
    name: "kill -9 of the primary's machine",
    async run() {
      const lost = await cluster.primary()
      lost.killAll()
      await untilReplaced(cluster, lost.name)
      lost.startPatroni()
      await cluster.untilRedundant()
    },
  }
}

async function untilReplaced(cluster: PatroniCluster, name: string): Promise<void> {
  await eventually(async () => {
    const now = await cluster.primary().catch(() => null)
    return now !== null && now.name !== name
  }, 60_000).catch((error: unknown) => {
    throw new Error(`${error}\n${cluster.said()}`)
  })
}
