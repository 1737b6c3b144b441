import { describe, expect, test } from 'bun:test'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from '../../src/domain/problem.ts'
import { cancelVerification } from '../../src/domain/verification/cancel.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { listVerifications } from '../../src/domain/verification/list.ts'
import { resendVerification } from '../../src/domain/verification/resend.ts'
import { type StartRequest, startVerification } from '../../src/domain/verification/start.ts'
import { type Mode, statusOf } from '../../src/domain/verification/verification.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { firstKeyset } from '../../src/keys/keyset.ts'
import { systemRandom } from '../../src/system.ts'
import { addApp, codeOf, noon, problemOf, type World, world, wrongCode } from '../support/world.ts'

async function start(w: World, request: Partial<StartRequest> = {}) {
  const started = await startVerification(w, {
    app: w.app,
    mode: 'live',
    startedBy: 'v1',
    to: 'ada@example.com',
    ...request,
  })
  const code = codeOf(w.sent.at(-1))
  const { id, mode } = started.verification
  return {
    ...started,
    code,
    check: (typed: unknown, idempotencyKey?: string) => check(w, id, typed, mode, idempotencyKey),
  }
}

const check = (
  w: World,
  id: string,
  code: unknown,
  mode: Mode = 'live',
  idempotencyKey: string | undefined = undefined,
) => checkVerification(w, { appId: w.app.id, mode, id, code, idempotencyKey })

describe('a start', () => {
  test('hands over the code to exactly the address that was asked for', async () => {
    const w = await world()
    const { verification, code } = await start(w, { to: 'Ada+x@Example.com' })

    expect(w.sent.map(({ handover }) => handover.recipient.address)).toEqual(['Ada+x@example.com'])
    expect(code).toMatch(/^[0-9]{6}$/)
    expect(verification.to).toBe('A***@example.com')
    expect(verification.expiresAt - verification.createdAt).toBe(600_000)
  })

  test('never stores the code, nor the address in clear', async () => {
    const w = await world()
    const { code } = await start(w, { to: 'canary-9f3b@example.com' })
    const dump = Buffer.from(await dumpOf(w)).toString('latin1')
    expect(dump).toContain('c***@example.com')
    expect(dump).not.toContain('canary-9f3b')
    expect(dump.includes(code)).toBe(false)
  })

  test('for one recipient, two hundred at once, sends one message', async () => {
    const w = await world()
    const spellings = ['ab@gmail.com', 'a.b+1@googlemail.com', 'AB@GMAIL.com']
    const starts = Array.from({ length: 200 }, (_, index) =>
      start(w, { to: spellings[index % 3] ?? '' }).then(() => 'started', problemCode),
    )
    const outcomes = await Promise.all(starts)
    expect(outcomes.filter((outcome) => outcome === 'started').length).toBe(1)
    expect(outcomes.filter((outcome) => outcome === 'rate_limited').length).toBe(199)
    expect(w.sent.length).toBe(1)
  })

  test('that is refused names the limit and the time to retry, and works then', async () => {
    const w = await world()
    await start(w)
    w.clock.advance(10_000)
    const problem = await problemOf(start(w))
    expect(problem).toEqual({
      code: 'rate_limited',
      limit: 'recipient_spacing',
      retryAfterSeconds: 20,
    })
    w.clock.advance(20_000)
    await start(w)
  })

  test('is limited by recipient within an app and across apps, and by app', async () => {
    const settings = { recipientStartsPerDayAcrossApps: 3, appStartsPerMinute: 4 }
    const w = await world({ settings })
    const other = await addApp(w, { name: 'Other' })
    const limitOf = async (request: Partial<StartRequest>) => {
      w.clock.advance(31_000)
      return (await problemOf(start(w, request))).limit
    }
    for (const app of [w.app, other.app, w.app]) {
      w.clock.advance(31_000)
      await start(w, { app })
    }
    // The limit's name does not reveal that another app has started something.
    expect(await limitOf({ app: other.app })).toBe('recipient_day')

    w.clock.advance(60_000)
    for (const to of ['a@b.example', 'c@b.example', 'd@b.example', 'e@b.example']) {
      await start(w, { to })
    }
    expect((await problemOf(start(w, { to: 'f@b.example' }))).limit).toBe('app_minute')
    await start(w, { to: 'g@b.example', app: other.app })
  })

  test('refuses what is out of range, by field', async () => {
    const w = await world()
    const fields = async (request: Partial<StartRequest>) =>
      (await problemOf(start(w, request))).errors?.map(({ field }) => field)
    expect(await fields({ to: 'nobody' })).toEqual(['to'])
    for (const codeLength of [4, 5, 11, 6.5, Number.NaN]) {
      expect(await fields({ codeLength })).toEqual(['code_length'])
    }
    for (const ttlSeconds of [29, 86_401, 60.5]) {
      expect(await fields({ ttlSeconds })).toEqual(['ttl_seconds'])
    }
    expect(await fields({ channel: 'inbox' })).toEqual(['channel'])
    expect(w.sent).toEqual([])
  })

  test('keeps the language tag in its canonical form, and refuses what is not one', async () => {
    const w = await world()
    const { verification } = await start(w, { locale: 'zh-hant-hk' })
    const refused = await problemOf(start(w, { to: 'bob@example.com', locale: 'de-1996-1996' }))

    expect(verification.locale).toBe('zh-Hant-HK')
    expect(w.sent.map(({ handover }) => handover.locale)).toEqual(['zh-Hant-HK'])
    expect(refused).toMatchObject({ errors: [{ field: 'locale' }] })
    expect(JSON.stringify(refused)).not.toContain('1996')
  })

  test('with a test key goes to the inbox, whatever channel was asked for', async () => {
    const w = await world()
    const { verification } = await start(w, { mode: 'test', channel: 'email' })
    expect(verification.channel).toBe('inbox')
  })

  test('gets eight digits while the spray alarm is on, where the app wants it', async () => {
    const w = await world({ policy: { longerCodesOnAlarm: true } })
    const alarmed = { ...w.app, sprayAlarmSince: w.clock.now() }
    expect((await start(w, { app: alarmed })).code).toHaveLength(8)
    const calm = { ...alarmed, policy: {} }
    expect((await start(w, { app: calm, to: 'b@example.com' })).code).toHaveLength(6)
  })
})

describe('a start with an Idempotency-Key', () => {
  const idempotency = { key: 'k', body: 'b' }

  test('answers a repeat with the verification as it was right after its start', async () => {
    const w = await world()
    const first = await start(w, { idempotency })
    await first.check(wrongCode(first.code))
    w.clock.advance(31_000)
    await resendVerification(w, { app: w.app, mode: 'live', id: first.verification.id })
    await cancelVerification(w, first.verification)

    const again = await start(w, { idempotency })

    expect(again.outcome).toBe('replayed')
    expect(again.verification).toEqual(first.verification)
    expect(w.sent.length).toBe(2)
  })

  test('is independent of the same key in the other mode', async () => {
    const w = await world()
    const live = await start(w, { idempotency })
    const test = await start(w, { idempotency, mode: 'test' })

    expect([live.outcome, test.outcome]).toEqual(['started', 'started'])
    expect(test.verification.mode).toBe('test')
  })

  test('refuses another request with the same key', async () => {
    const w = await world()
    await start(w, { idempotency })
    const other = start(w, { idempotency: { key: 'k', body: 'other' } })
    expect((await problemOf(other)).code).toBe('idempotency_key_reused')
  })
})

describe('the outbox', () => {
  test('has no reserved place left after any outcome of a start or a resend', async () => {
    const w = await world()
    const { verification } = await start(w)
    await problemOf(start(w))
    await problemOf(resendVerification(w, { app: w.app, mode: 'live', id: verification.id }))
    w.clock.advance(31_000)
    await resendVerification(w, { app: w.app, mode: 'live', id: verification.id })
    await start(w, { to: 'b@example.com', idempotency: { key: 'k', body: 'b' } })
    await start(w, { to: 'b@example.com', idempotency: { key: 'k', body: 'b' } })

    expect(w.outboxState.reserved).toBe(0)
  })

  test('without room leaves the delivery unleased, and is woken', async () => {
    const w = await world()
    w.outboxState.hasRoom = false
    await startVerification(w, { app: w.app, mode: 'live', startedBy: 'v1', to: 'a@b.example' })

    expect(w.sent).toEqual([])
    const [endpoint] = w.app.endpoints
    const lane = { appId: w.app.id, channel: 'email' as const, endpointId: endpoint?.id ?? '' }
    expect(w.outboxState.woken).toEqual([lane])
    const due = { node: 'other', now: w.clock.now(), from: '', dueWithinMs: dayMs, silentSince: 0 }
    const claimed = await w.deliveries.claim({ ...due, lane, leaseUntil: noon + 1, limit: 9 })
    expect(claimed.length).toBe(1)
  })

  test('that cannot send in time makes a start fail before anything is stored', async () => {
    const w = await world()
    const backlog = async (waitMs: number, ttlSeconds: number) => {
      w.outboxState.waitMs = waitMs
      const idempotency = { key: 'k', body: 'b' }
      return (await problemOf(start(w, { ttlSeconds, idempotency }))).retryAfterSeconds
    }
    // A quarter of the code's life, or 30 s, whichever is less.
    expect(await backlog(7_501, 30)).toBe(1)
    expect(await backlog(35_000, 600)).toBe(5)
    expect(await backlog(Number.POSITIVE_INFINITY, 600)).toBe(30)

    w.outboxState.waitMs = 7_500
    expect((await start(w, { ttlSeconds: 30 })).outcome).toBe('started')
  })

  test('is told which verifications need no message any more', async () => {
    const w = await world()
    const used = await start(w)
    await used.check(wrongCode(used.code))
    expect(w.outboxState.withdrawn).toEqual([])
    await used.check(used.code)
    const canceled = await start(w, { to: 'b@example.com' })
    await cancelVerification(w, canceled.verification)

    expect(w.outboxState.withdrawn).toEqual([used.verification.id, canceled.verification.id])
  })
})

test('a paused app starts nothing', async () => {
  const w = await world({ policy: { paused: true } })
  expect((await problemOf(start(w))).code).toBe('app_paused')
})

test('an app starts no more in a day than its policy says', async () => {
  const w = await world({ policy: { startsPerDay: 3 } })
  for (const to of ['a@b.example', 'c@b.example', 'd@b.example']) await start(w, { to })

  const { limit, retryAfterSeconds } = await problemOf(start(w, { to: 'e@b.example' }))

  expect([limit, retryAfterSeconds]).toEqual(['app_day', 28_800])
  w.clock.advance(28_800_000)
  await start(w, { to: 'e@b.example' })
})

test('starts with test keys do not count in the limits of live mail', async () => {
  const w = await world({ settings: { recipientStartsPerDayAcrossApps: 1 } })
  for (const name of ['One', 'Two']) {
    const { app } = await addApp(w, { name })
    await start(w, { app, mode: 'test' })
  }
  await start(w)
})

test('openly registered apps share a separate limit per recipient', async () => {
  const w = await world({ settings: { recipientStartsPerDayAcrossApps: 1 } })
  const strangers = { ...w.app, registeredBy: 'open' as const }
  await start(w, { app: strangers })
  const { app } = await addApp(w, { name: 'Other' })
  await start(w, { app })
  const third = await addApp(w, { name: 'Third' })
  expect((await problemOf(start(w, { app: third.app }))).limit).toBe('recipient_day')
})

describe('a check', () => {
  test('approves the code once and says so afterwards', async () => {
    const w = await world()
    const { code, check } = await start(w)
    expect((await check(code)).valid).toBe(true)
    expect((await problemOf(check(code))).code).toBe('verification_used')
  })

  test('takes the code as people type it', async () => {
    const w = await world()
    const { code, check } = await start(w)
    expect((await check(` ${code.slice(0, 3)}-${code.slice(3)} `)).valid).toBe(true)
  })

  test('spends no attempt on what cannot be the code', async () => {
    const w = await world()
    const { code, check, verification } = await start(w)
    const shapes = ['', ' ', null, undefined, true, 123456, [code], { $ne: 1 }, '12345', `${code}0`]
    for (const typed of [...shapes, '0123456789ABC', 'abcdef']) {
      const { code: problem, errors } = await problemOf(check(typed))
      expect([problem, errors?.[0]?.field]).toEqual(['invalid_request', 'code'])
    }
    const reasons = async (typed: unknown) => (await problemOf(check(typed))).errors
    const noCode = 'must be the digits of the code, as a string'
    expect(await reasons('x')).toEqual([{ field: 'code', reason: noCode }])
    const otherLength = 'must be as long as code_length says'
    expect(await reasons(`${code}0`)).toEqual([{ field: 'code', reason: otherLength }])
    const stored = await w.verifications.get(verification)
    expect(stored?.attemptsSpent).toBe(0)
  })

  test('ends after the allowed attempts, and the right code no longer helps', async () => {
    const w = await world()
    const { code, check } = await start(w)
    const left = []
    for (let i = 0; i < 5; i++) {
      const { valid, verification } = await check(wrongCode(code))
      left.push(verification.attemptsMax - verification.attemptsSpent)
      expect(valid).toBe(false)
    }
    expect(left).toEqual([4, 3, 2, 1, 0])
    expect((await problemOf(check(code))).code).toBe('verification_exhausted')
  })

  test('of an expired, a canceled and an unknown verification is refused with its own code', async () => {
    const w = await world()
    const { code, check: checkFirst, verification } = await start(w)
    await cancelVerification(w, verification)
    expect((await problemOf(checkFirst(code))).code).toBe('verification_canceled')

    w.clock.advance(60_000)
    const second = await start(w)
    w.clock.advance(600_000)
    expect((await problemOf(second.check(second.code))).code).toBe('verification_expired')
    const unknown = check(w, '0'.repeat(30), '123456')
    expect((await problemOf(unknown)).code).toBe('verification_not_found')
  })

  test('refuses a used code also when the clock is set back', async () => {
    const w = await world()
    const { code, check } = await start(w)
    await check(code)
    w.clock.advance(-3_600_000)
    expect((await problemOf(check(code))).code).toBe('verification_used')
  })

  test('judges only its own verification, which another start for the recipient leaves as it is', async () => {
    const w = await world()
    const held = await start(w)
    w.clock.advance(31_000)
    const strangers = await start(w)

    expect((await held.check(strangers.code)).valid).toBe(strangers.code === held.code)
    for (let i = 0; i < 5; i++) await strangers.check(wrongCode(strangers.code))
    expect((await held.check(held.code)).valid).toBe(true)
  })

  test('of another mode finds nothing', async () => {
    const w = await world()
    const { code, verification } = await start(w)
    const foreign = checkVerification(w, { ...verification, mode: 'test', code })
    expect((await problemOf(foreign)).code).toBe('verification_not_found')
    expect((await w.verifications.get(verification))?.attemptsSpent).toBe(0)
  })

  test('that is repeated with its Idempotency-Key answers as before and spends nothing', async () => {
    const w = await world()
    const { code, check } = await start(w)
    const wrong = await check(wrongCode(code), 'one')
    const right = await check(code, 'two')
    w.clock.advance(300_000)

    const wrongAgain = await check(wrongCode(code), 'one')
    const rightAgain = await check(code, 'two')

    expect(wrongAgain).toEqual({ ...wrong, replayed: true })
    expect(rightAgain).toEqual({ ...right, replayed: true })
    expect((await problemOf(check(code))).code).toBe('verification_used')
  })

  test('with a used Idempotency-Key and another code is refused, and spends nothing', async () => {
    const w = await world()
    const { code, check, verification } = await start(w)
    await check(wrongCode(code), 'one')
    expect((await problemOf(check(code, 'one'))).code).toBe('idempotency_key_reused')
    expect((await w.verifications.get(verification))?.attemptsSpent).toBe(1)
  })

  test('forgets its Idempotency-Key after ten minutes', async () => {
    const w = await world()
    const { code, check } = await start(w, { ttlSeconds: 3600 })
    await check(wrongCode(code), 'one')
    w.clock.advance(599_999)
    expect((await problemOf(check(code, 'one'))).code).toBe('idempotency_key_reused')
    w.clock.advance(1)
    expect((await check(code, 'one')).valid).toBe(true)
  })

  test('shares its Idempotency-Key with no other verification and no other mode', async () => {
    const w = await world()
    const one = await start(w)
    const other = await start(w, { to: 'b@example.com' })
    const first = await one.check(wrongCode(one.code), 'one')

    const second = await other.check(wrongCode(one.code), 'one')
    expect([second.replayed, second.verification.id]).toEqual([false, other.verification.id])
    const inTest = check(w, first.verification.id, wrongCode(one.code), 'test', 'one')
    expect((await problemOf(inTest)).code).toBe('verification_not_found')
  })

  test('writes an event when the code is approved or the last attempt is spent', async () => {
    const w = await world({ policy: { attemptsMax: 1 } })
    const right = await start(w)
    await right.check(right.code)
    const wrong = await start(w, { to: 'b@example.com' })
    await wrong.check(wrongCode(wrong.code))

    const list = { appId: w.app.id, type: null, limit: 9, cursor: null }
    const { items } = await w.events.list(list)
    expect(items.map(({ type, verificationId }) => [type, verificationId])).toEqual([
      ['verification.exhausted', wrong.verification.id],
      ['verification.approved', right.verification.id],
    ])
  })

  test('of a code whose key was deleted is refused as expired', async () => {
    const w = await world()
    const { code, verification } = await start(w)
    const keyring = createKeyring(firstKeyset(new Uint8Array(32).fill(9)), systemRandom)

    const late = check({ ...w, keyring }, verification.id, code)

    expect((await problemOf(late)).code).toBe('verification_expired')
    expect((await w.verifications.get(verification))?.attemptsSpent).toBe(0)
  })

  test('in parallel with one Idempotency-Key spends one attempt and judges one code', async () => {
    const w = await world()
    const { code, check, verification } = await start(w)
    const typed = [wrongCode(code), code]
    const checks = Array.from({ length: 100 }, (_, index) =>
      check(typed[index % 2], 'one').then(({ valid }) => String(valid), problemCode),
    )
    const outcomes = new Set(await Promise.all(checks))
    expect(outcomes).toEqual(new Set(['false', 'idempotency_key_reused']))
    expect((await w.verifications.get(verification))?.attemptsSpent).toBe(1)
  })

  test('of another app finds nothing', async () => {
    const w = await world()
    const { code, verification } = await start(w)
    const other = await addApp(w, { name: 'Other' })
    const foreign = checkVerification(w, { ...verification, appId: other.app.id, code })
    expect((await problemOf(foreign)).code).toBe('verification_not_found')
  })
})

describe('the guess budget', () => {
  test('allows no more guesses at short codes than it says, however often one starts', async () => {
    const settings = { recipientStartsPerDay: 1000, recipientStartsPerDayAcrossApps: 1000 }
    const w = await world({ settings: { ...settings, recipientStartsPerQuarterHour: 1000 } })
    let guesses = 0
    for (let i = 0; i < 40; i++) {
      w.clock.advance(31_000)
      const { verification, code, check } = await start(w)
      if (verification.codeFormat !== 'numeric') continue
      for (let attempt = 0; attempt < 5; attempt++) {
        await check(wrongCode(code))
        guesses++
      }
    }
    expect(guesses).toBe(25)
  })

  test('that an attacker has spent still leaves the recipient a code that works', async () => {
    const w = await world()
    for (let i = 0; i < 5; i++) {
      w.clock.advance(200_000)
      const { code, check } = await start(w)
      for (let attempt = 0; attempt < 5; attempt++) await check(wrongCode(code))
    }
    w.clock.advance(200_000)
    const victim = await start(w)
    expect(victim.code).toMatch(/^[0-9A-HJKMNP-TV-Z]{13}$/)
    expect(victim.verification.codeLength).toBe(13)
    expect((await victim.check(victim.code.toLowerCase())).valid).toBe(true)

    w.clock.advance(dayMs + 3_600_000)
    expect((await start(w)).verification.codeFormat).toBe('numeric')
  })

  test('refuses where the app says so', async () => {
    const w = await world({
      policy: { onBudgetExhausted: 'refuse' },
      settings: { guessBudgetPerDay: 4 },
    })
    expect((await problemOf(start(w))).code).toBe('budget_exhausted')
    expect(w.sent).toEqual([])
  })
})

describe('a resend', () => {
  const resend = (w: World, id: string) => resendVerification(w, { app: w.app, mode: 'live', id })

  test('carries the same code, the same expiry and no new attempts', async () => {
    const w = await world()
    const { code, check, verification } = await start(w)
    await check(wrongCode(code))
    w.clock.advance(30_000)

    const resent = await resend(w, verification.id)
    expect(w.sent.length).toBe(2)
    expect(codeOf(w.sent[1])).toBe(code)
    expect(w.sent[1]?.handover.recipient.address).toBe('ada@example.com')
    expect(resent.expiresAt).toBe(verification.expiresAt)
    expect(resent.attemptsSpent).toBe(1)
    expect((await check(code)).valid).toBe(true)
  })

  test('waits its time, ends after three, and is refused once finished', async () => {
    const w = await world()
    const { code, check, verification } = await start(w)
    w.clock.advance(29_001)
    const early = await problemOf(resend(w, verification.id))
    expect(early).toEqual({ code: 'resend_too_early', retryAfterSeconds: 1 })

    for (let i = 0; i < 3; i++) {
      w.clock.advance(30_000)
      await resend(w, verification.id)
    }
    w.clock.advance(30_000)
    expect((await problemOf(resend(w, verification.id))).code).toBe('sends_exhausted')
    await check(code)
    expect((await problemOf(resend(w, verification.id))).code).toBe('verification_used')
  })
})

test('a list finds a recipient by exact address only, and a status as of now', async () => {
  const w = await world()
  const first = await start(w, { to: 'ada+one@example.com' })
  w.clock.advance(31_000)
  await start(w, { to: 'ada+two@example.com' })
  const query = { appId: w.app.id, mode: 'live' as const, limit: 10, cursor: null }

  const found = await listVerifications(w, {
    ...query,
    to: 'ada+one@example.com',
  })
  expect(found.items.map(({ id }) => id)).toEqual([first.verification.id])
  w.clock.advance(600_000)
  const expired = await listVerifications(w, { ...query, status: 'expired' })
  expect(expired.items.map((item) => statusOf(item, w.clock.now()))).toEqual(['expired', 'expired'])
})

function problemCode(error: unknown): string {
  return error instanceof Problem ? error.code : `not a problem: ${error}`
}

/** Every byte that the store would write to disk. */
async function dumpOf(w: World): Promise<Uint8Array> {
  const file = join(tmpdir(), `otpmint-dump-${crypto.randomUUID()}`)
  await w.store.backup(file)
  const bytes = readFileSync(file)
  rmSync(file)
  return bytes
}
