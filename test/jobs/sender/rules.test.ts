import { expect, test } from 'bun:test'
import fc from 'fast-check'
import type { App } from '../../../src/domain/app/app.ts'
import type { DeliveryOutcome } from '../../../src/domain/delivery/delivery.ts'
import { Problem } from '../../../src/domain/problem.ts'
import { cancelVerification } from '../../../src/domain/verification/cancel.ts'
import {
  allows,
  full,
  greylisted,
  later,
  refusedBy,
  type SimulatedServer,
  sent,
  unanswered,
  unreachable,
} from './simulated-servers.ts'
import { mostInAMinute, only, openStage, type Stage, type Started } from './stage.ts'

/** The repeated sequence of a server's answers. */
type Profile = {
  takesMs: number
  connections: number
  outcomes: DeliveryOutcome[]
  /** Seconds between which nothing listens. */
  outage: [number, number]
}
type AppPlan = { connectionsMax: number; ratePerMinute?: number; servers: Profile[] }
type Step = { afterMs: number; app: number; count: number; cancels: boolean }
type Plan = {
  seed: number
  connectionsMax: number
  ttlSeconds: number
  apps: AppPlan[]
  steps: Step[]
}

const outcomes = fc.oneof(
  { weight: 6, arbitrary: fc.constant(sent) },
  {
    weight: 4,
    arbitrary: fc.constantFrom<DeliveryOutcome>(
      ...[unreachable, unanswered, full, later, greylisted],
      ...(['recipient', 'login', 'policy', 'message', 'server'] as const).map(refusedBy),
    ),
  },
)
const profile: fc.Arbitrary<Profile> = fc.record({
  takesMs: fc.integer({ min: 1, max: 2_000 }),
  connections: fc.integer({ min: 1, max: 20 }),
  outcomes: fc.array(outcomes, { minLength: 1, maxLength: 6 }),
  outage: fc.tuple(fc.nat(60), fc.nat(30)).map(([from, lasts]) => [from, from + lasts]),
})
const plans: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(),
  connectionsMax: fc.integer({ min: 1, max: 30 }),
  ttlSeconds: fc.constantFrom(30, 120, 600),
  apps: fc.array(
    fc.record({
      connectionsMax: fc.integer({ min: 1, max: 15 }),
      ratePerMinute: fc.constantFrom(10_000, 60, 5),
      servers: fc.array(profile, { minLength: 1, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  steps: fc.array(
    fc.record({
      afterMs: fc.integer({ min: 0, max: 8_000 }),
      app: fc.nat(3),
      count: fc.integer({ min: 1, max: 25 }),
      cancels: fc.boolean(),
    }),
    { minLength: 1, maxLength: 8 },
  ),
})

/** The server of the app that accepts everything. */
const healthy: AppPlan = {
  connectionsMax: 10,
  servers: [{ takesMs: 50, connections: 100, outcomes: [sent], outage: [0, 0] }],
}

type Run = {
  plan: Plan
  stage: Stage
  apps: App[]
  started: Started[]
  healthyOnes: Started[]
  /** When a cancel was answered, by verification. */
  canceledAt: Map<string, number>
  mostRunning: number
}

async function run(plan: Plan): Promise<void> {
  const stage = await openStage({ seed: plan.seed, connectionsMax: plan.connectionsMax })
  const apps: App[] = []
  let mostRunning = 0
  for (const { servers, ...limits } of [...plan.apps, healthy]) {
    const app = await stage.newApp({ endpoints: servers.length, ...limits })
    apps.push(app)
    for (const [index, one] of servers.entries()) {
      const server = stage.servers.of(app.endpoints[index]?.id ?? '')
      follow(stage, server, one)
    }
  }
  stage.sender.start()
  const lists = { started: [], healthyOnes: [], canceledAt: new Map<string, number>() }
  const state: Run = { plan, stage, apps, ...lists, mostRunning }
  for (const step of plan.steps) {
    await stage.time.run(step.afterMs)
    await play(state, step)
    mostRunning = Math.max(mostRunning, stage.servers.running())
  }
  for (let seconds = 0; seconds < plan.ttlSeconds + 10; seconds++) {
    await stage.time.run(1_000)
    mostRunning = Math.max(mostRunning, stage.servers.running())
  }
  const now = stage.time.clock.now()
  const expire = { now, limit: 10_000, event: 'delivery.undeliverable' } as const
  await stage.time.until(stage.ports.deliveries.expire(expire))
  for (const rule of rules) await rule({ ...state, mostRunning })
  await stage.close()
}

/** Makes a server behave as its profile says. */
function follow(stage: Stage, server: SimulatedServer, profile: Profile): void {
  const { takesMs, connections, outcomes, outage } = profile
  const isOut = () => {
    const seconds = stage.time.timers.monotonic() / 1000
    return seconds >= outage[0] && seconds < outage[1]
  }
  let number = 0
  const limit = allows(connections)
  server.greet = (connection) => (isOut() ? { takesMs, outcome: unreachable } : limit(connection))
  server.behave = () => {
    const outcome = outcomes[number++ % outcomes.length] ?? sent
    return isOut() ? { takesMs, outcome: unreachable } : { takesMs, outcome }
  }
}

async function play({ plan, stage, apps, started, healthyOnes, canceledAt }: Run, step: Step) {
  const { ttlSeconds } = plan
  const well = apps.at(-1)
  healthyOnes.push(...(well ? await stage.start(2, { app: well }) : []))
  const app = apps[step.app % (apps.length - 1)]
  if (!app) return
  const begun = await stage.start(step.count, { app, ttlSeconds }).catch((error: unknown) => {
    // A refused start stored nothing, so nothing is lost.
    if (error instanceof Problem && error.code === 'delivery_backlog') return []
    throw error
  })
  started.push(...begun)
  const [first] = begun
  if (!first || !step.cancels) return
  const ports = { ...stage.ports, outbox: stage.sender }
  await stage.time.until(cancelVerification(ports, first))
  canceledAt.set(first.id, stage.time.timers.monotonic())
}

const rules: ((run: Run) => Promise<void>)[] = [
  async function everyMessageEndsAsItsTriesSay({ stage, started }) {
    for (const one of started) {
      const [delivery] = await stage.history(one)
      expect(['sent', 'refused', 'undeliverable']).toContain(delivery?.status ?? 'none')
      const statuses = delivery?.history.map(({ status }) => status)
      expect(delivery?.status === 'sent').toBe(statuses?.at(-1) === 'sent')
      expect(delivery?.tries).toBe(statuses?.length ?? -1)
    }
    const { waiting } = await stage.time.until(stage.ports.deliveries.backlog())
    expect(waiting).toBe(0)
  },
  async function noMessageIsAcceptedMoreThanTwice({ stage, started }) {
    const totals = new Map<string, number>()
    for (const { accepted } of stage.servers.all()) {
      for (const [id, times] of accepted) totals.set(id, (totals.get(id) ?? 0) + times)
    }
    expect(Math.max(0, ...totals.values())).toBeLessThanOrEqual(2)
    for (const one of started) {
      const { id, status } = only(await stage.history(one))
      if (status === 'sent') expect(totals.get(id)).toBeGreaterThan(0)
    }
  },
  async function noMoreHandOversRunThanMay({ plan, stage, apps, mostRunning }) {
    expect(mostRunning).toBeLessThanOrEqual(plan.connectionsMax)
    for (const [index, { connectionsMax }] of plan.apps.entries()) {
      for (const { id } of apps[index]?.endpoints ?? []) {
        expect(stage.servers.of(id).most).toBeLessThanOrEqual(connectionsMax)
      }
    }
  },
  async function noEndpointGetsMoreThanItsRate({ plan, stage, apps }) {
    for (const [index, { ratePerMinute }] of plan.apps.entries()) {
      for (const { id } of apps[index]?.endpoints ?? []) {
        const times = stage.servers.of(id).got.map(({ at }) => at)
        expect(mostInAMinute(times)).toBeLessThanOrEqual(ratePerMinute ?? times.length)
      }
    }
  },
  async function nothingIsBegunForACanceledCode({ stage, canceledAt }) {
    for (const { got } of stage.servers.all()) {
      for (const { handover, at } of got) {
        const canceled = canceledAt.get(handover.verificationId) ?? Number.POSITIVE_INFINITY
        expect(at).toBeLessThanOrEqual(canceled)
      }
    }
  },
  async function anAppWhoseServerTakesEverythingIsServed({ stage, healthyOnes }) {
    for (const one of healthyOnes) {
      expect(only(await stage.history(one))).toMatchObject({ status: 'sent', tries: 1 })
    }
    const server = stage.servers.of(healthyOnes[0]?.lane.endpointId ?? '')
    expect(server.accepted.size).toBe(healthyOnes.length)
  },
]

test('every message ends, none is sent too often, and no app waits for another app’s server', async () => {
  await fc.assert(fc.asyncProperty(plans, run), { numRuns: 25 })
}, 60_000)
