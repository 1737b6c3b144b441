import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { App } from '../../src/domain/app/app.ts'
import { addEndpoint } from '../../src/domain/app/endpoints.ts'
import { findApp } from '../../src/domain/app/manage.ts'
import type { ChannelKind } from '../../src/domain/delivery/channel.ts'
import { Problem } from '../../src/domain/problem.ts'
import { cancelVerification } from '../../src/domain/verification/cancel.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import { resendVerification } from '../../src/domain/verification/resend.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import type { Verification } from '../../src/domain/verification/verification.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'
import { addApp, type World, world, wrongCode } from '../support/world.ts'

/** The actions of an attacker who guesses codes. */
type Move =
  | {
      do: 'start'
      app: number
      codeLength: number
      ttlSeconds: number
      mode: 'live' | 'test'
      people: readonly Person[]
    }
  | { do: 'guess'; which: number | 'all'; times: number; together: boolean }
  | { do: 'cancel' | 'resend'; which: number }
  | { do: 'wait'; ms: number }
  | { do: 'sweep' | 'restart' }

/** The recipients of a start, in the order of its channels. */
const persons = { ada: 'ada@example.com', gus: 'gus@example.org' } as const
type Person = keyof typeof persons

const movesMax = 250
const which = fc.constantFrom(0, 0, 0, 1, 2, 5)
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('start' as const),
      app: fc.constantFrom(0, 0, 0, 1),
      codeLength: fc.constantFrom(6, 6, 6, 8),
      ttlSeconds: fc.constantFrom(30, 600, 3600, 86_400),
      mode: fc.constantFrom('live' as const, 'live' as const, 'live' as const, 'test' as const),
      people: fc.constantFrom<readonly Person[]>(
        ...[['ada'] as const, ['ada'] as const, ['gus'] as const],
        ...[['ada', 'gus'] as const, ['gus', 'ada'] as const],
      ),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('guess' as const),
      which: fc.oneof(which, fc.constant('all' as const)),
      times: fc.constantFrom(1, 4, 5, 6),
      together: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('cancel' as const, 'resend' as const), which }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(200_000, 200_000, hourMs, 6 * hourMs, dayMs - 1, dayMs, 9 * dayMs),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('sweep' as const, 'restart' as const) }),
  },
)

/** A few moves that are repeated. */
const cycle = fc.tuple(
  fc.array(move, { minLength: 1, maxLength: 6 }),
  fc.integer({ min: 1, max: 20 }),
)
const strategy = fc
  .array(cycle, { minLength: 1, maxLength: 8 })
  .map((cycles) =>
    cycles.flatMap(([moves, count]) => Array<Move[]>(count).fill(moves).flat()).slice(0, movesMax),
  )

test('no strategy gets more guesses at short codes than the budget says', async () => {
  // Thousands of commits, none of which has to outlive this machine.
  const home = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
  const folder = mkdtempSync(join(home, 'otpmint-guess-'))
  let most = 0
  let both = false
  await fc.assert(
    fc.asyncProperty(strategy, async (moves) => {
      const path = join(folder, `${crypto.randomUUID()}.db`)
      const attacker = await createAttacker(path)
      for (const next of moves) await attacker.make(next)
      for (const person of ['ada', 'gus'] as const) {
        const all = attacker.guesses.filter(({ people }) => people.includes(person))
        most = Math.max(most, all.length)
        both ||= all.some(({ people }) => people.length > 1)
        for (const { at, appId } of all) {
          const own = all.filter((guess) => guess.appId === appId)
          const within = (ms: number) =>
            own.filter((guess) => guess.at > at - ms && guess.at <= at).length
          expect(within(dayMs)).toBeLessThanOrEqual(25)
          expect(within(30 * dayMs)).toBeLessThanOrEqual(76)
        }
      }
      await attacker.end()
    }),
    { numRuns: 120 },
  )
  // Some strategies use up the budget of a day, so the test covers the bound.
  expect(most).toBeGreaterThanOrEqual(25)
  expect(both).toBe(true)
  rmSync(folder, { recursive: true })
}, 120_000)

/** Verifications that are guessed at in one move. */
const heldMax = 30

async function createAttacker(path: string) {
  const settings = {
    recipientStartsPerQuarterHour: 100,
    recipientStartsPerDay: 1000,
    recipientStartsPerDayAcrossApps: 1000,
  }
  const base = await world({ path, settings })
  const apps: App[] = []
  for (const { id } of [base.app, (await addApp(base, { name: 'Other' })).app]) {
    const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    const input = { url: 'https://gateway.example.com/otp', secret }
    await addEndpoint(base, { who: 'cli', requestId: null }, { appId: id, kind: 'webhook', input })
    apps.push(await findApp(base, id))
  }
  let w: World = base
  const begun: Verification[] = []
  /** Wrong guesses at live codes of at most eight digits that were judged. */
  const guesses: { at: number; appId: string; people: readonly Person[] }[] = []
  const named = new Map<string, readonly Person[]>()
  const nth = (index: number) => begun.at(-1 - index)

  const guess = async (verification: Verification) => {
    const { appId, mode, id, codeLength } = verification
    const code = wrongCode('1'.repeat(codeLength))
    const result = await refusable(checkVerification(w, { appId, mode, id, code }))
    if (result && mode === 'live' && verification.codeFormat === 'numeric') {
      guesses.push({ at: w.clock.now(), appId, people: named.get(id) ?? [] })
    }
  }

  async function make(next: Move): Promise<void> {
    const isAll = 'which' in next && next.which === 'all'
    const verification = 'which' in next && next.which !== 'all' ? nth(next.which) : undefined
    if (next.do === 'wait') w.clock.advance(next.ms)
    if (next.do === 'start') {
      w.clock.advance(31_000)
      const { codeLength, ttlSeconds, mode, people } = next
      const channel: ChannelKind[] = people.length > 1 ? ['email', 'webhook'] : ['email']
      const to = Object.fromEntries(
        channel.map((name, index) => [name, persons[people[index] ?? 'ada']]),
      )
      const { [next.app]: app = base.app } = apps
      const request = { app, mode, startedBy: 'v1' as const, channel, to, codeLength, ttlSeconds }
      const started = await refusable(startVerification(w, request))
      if (started) begun.push(started.verification)
      // A recipient that lost its channels is not guessed at.
      const kept = started?.verification.route.map(({ recipient }) => people[recipient] ?? 'ada')
      if (started) named.set(started.verification.id, kept ?? [])
    }
    if (next.do === 'guess') {
      const targets = isAll ? begun.slice(-heldMax) : verification ? [verification] : []
      const tries = targets.flatMap((target) => {
        return Array.from({ length: next.times }, () => () => guess(target))
      })
      if (next.together) await Promise.all(tries.map((run) => run()))
      else for (const run of tries) await run()
    }
    if (next.do === 'cancel' && verification) await refusable(cancelVerification(w, verification))
    if (next.do === 'resend' && verification) {
      const { mode, id } = verification
      await refusable(resendVerification(w, { app: w.app, mode, id }))
    }
    if (next.do === 'sweep') await sweep(w)
    if (next.do === 'restart') {
      await w.store.close()
      const store = await openSqliteStore({ path, timers: systemTimers })
      w = { ...w, ...store, store }
    }
  }
  return { make, guesses, end: () => w.store.close() }
}

async function sweep({ maintenance, clock }: World): Promise<void> {
  const now = clock.now()
  let limitsAfter: Uint8Array = new Uint8Array(0)
  for (let rounds = 0; rounds < 50; rounds++) {
    const swept = await maintenance.sweep({
      now,
      expiredEvent: 'verification.expired',
      verificationsBefore: now - 7 * dayMs,
      eventsBefore: now - 31 * dayMs,
      messagesBefore: 0,
      failuresBefore: now - 31 * dayMs,
      bindingsBefore: 0,
      pagesBefore: 0,
      reportsBefore: 0,
      idempotencyBefore: now - dayMs,
      suppressionsBefore: now - 30 * dayMs,
      learnedDaysBefore: 0,
      learnedRecipientsBefore: 0,
      figuresBefore: [],
      refusalsBefore: now - dayMs,
      spendingBefore: now - 2 * dayMs,
      accountsBefore: 0,
      triesBefore: 0,
      limitsAfter,
      limit: 100,
    })
    limitsAfter = swept.limitsAfter
    if (swept.rows === 0 && limitsAfter.length === 0) return
  }
}

/** The result, or null where it was refused. */
async function refusable<Value>(promise: Promise<Value>): Promise<Value | null> {
  return promise.catch((error: unknown) => {
    if (error instanceof Problem) return null
    throw error
  })
}
