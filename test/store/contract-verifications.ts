import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { dayMs, hourMs } from '../../src/domain/limit.ts'
import { statusOf } from '../../src/domain/verification.ts'
import { attempt, bytes, noon, startCommand } from '../support/commands.ts'
import type { OpenStore } from './contract.ts'

const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

/** What every store promises of verifications and checks. */
export function verificationContract(open: OpenStore): void {
  test('two hundred parallel guesses get no more than the allowed attempts', async () => {
    const { verifications } = await open()
    const command = startCommand({ attemptsMax: 5 })
    await verifications.start(command)

    const guesses = times(200, () => verifications.chargeAttempt(attempt(command, false)))
    const judged = (await Promise.all(guesses)).filter((result) => result !== null)

    expect(judged.length).toBe(5)
    expect(await verifications.chargeAttempt(attempt(command, true))).toBeNull()
  })

  test('two hundred parallel right codes are approved exactly once', async () => {
    const { verifications } = await open()
    const command = startCommand({ attemptsMax: 10 })
    await verifications.start(command)

    const checks = times(200, () => verifications.chargeAttempt(attempt(command, true)))
    const approved = (await Promise.all(checks)).filter((result) => result?.status === 'approved')

    expect(approved.length).toBe(1)
    expect(approved[0]?.attemptsSpent).toBe(1)
  })

  test('any run of checks spends one attempt each and approves at most once', async () => {
    const { verifications } = await open()
    const checks = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(checks, fc.integer({ min: 1, max: 10 }), async (rights, attemptsMax) => {
        const command = startCommand({ attemptsMax })
        await verifications.start(command)

        const results = []
        for (const right of rights) {
          results.push(await verifications.chargeAttempt(attempt(command, right)))
        }

        const firstRight = rights.indexOf(true)
        const open = firstRight < 0 ? rights.length : firstRight + 1
        const judged = Math.min(open, attemptsMax)
        expect(results.filter((result) => result !== null).length).toBe(judged)
        const approvals = results.filter((result) => result?.status === 'approved').length
        expect(approvals).toBe(firstRight >= 0 && firstRight < attemptsMax ? 1 : 0)
      }),
      { numRuns: 60 },
    )
  })

  test('a code is accepted until the last millisecond of its life and not after', async () => {
    const { verifications } = await open()
    const early = startCommand({ ttlMs: 600_000 })
    const late = startCommand({ ttlMs: 600_000 })
    await verifications.start(early)
    await verifications.start(late)

    expect(await verifications.chargeAttempt(attempt(late, true, noon + 600_000))).toBeNull()
    expect(await verifications.chargeAttempt(attempt(early, true, noon + 599_999))).not.toBeNull()
  })

  test('the code of one verification is worth nothing for another', async () => {
    const { verifications } = await open()
    const [one, other] = [startCommand(), startCommand()]
    await verifications.start(one)
    await verifications.start(other)

    const digests = attempt(one, true).digests
    const crossed = await verifications.chargeAttempt({ ...attempt(other, false), digests })

    expect(crossed?.status).toBe('pending')
    expect(crossed?.attemptsSpent).toBe(1)
  })

  test('another app sees, checks, resends and cancels nothing', async () => {
    const { verifications } = await open()
    const command = startCommand()
    await verifications.start(command)
    const { id } = command.verification
    const foreign = { appId: 'other', id }
    const delivery = { id: 'd', leaseUntil: noon }

    expect(await verifications.get('other', id)).toBeNull()
    expect(await verifications.chargeAttempt({ ...attempt(command, true), ...foreign })).toBeNull()
    expect(await verifications.cancel({ ...foreign, now: noon })).toBeNull()
    const resend = { ...foreign, now: noon + 60_000, nextResendAt: noon, delivery }
    expect(await verifications.claimResend(resend)).toBeNull()
    expect(await verifications.sealedRecipient('other', id)).toBeNull()
  })

  test('a code of another length or format spends no attempt', async () => {
    const { verifications } = await open()
    const command = startCommand()
    await verifications.start(command)

    const shorter = { ...attempt(command, false), length: 5 }
    const long = { ...attempt(command, false), format: 'crockford' as const, length: 13 }
    expect(await verifications.chargeAttempt(shorter)).toBeNull()
    expect(await verifications.chargeAttempt(long)).toBeNull()

    const { appId, id } = command.verification
    expect((await verifications.get(appId, id))?.attemptsSpent).toBe(0)
  })

  test('an approval or a cancel forgets the address', async () => {
    const { verifications } = await open()
    const [approved, canceled] = [startCommand(), startCommand()]
    for (const command of [approved, canceled]) {
      await verifications.start(command)
      const { appId, id } = command.verification
      expect(await verifications.sealedRecipient(appId, id)).not.toBeNull()
    }

    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.cancel({ ...canceled.verification, now: noon })

    for (const { verification } of [approved, canceled]) {
      const { appId, id } = verification
      expect(await verifications.sealedRecipient(appId, id)).toBeNull()
    }
  })

  test('parallel resends send once, and three are all that a verification has', async () => {
    const { verifications } = await open()
    const command = startCommand()
    await verifications.start(command)
    const { appId, id } = command.verification
    const resend = (now: number, name: string) =>
      verifications.claimResend({
        appId,
        id,
        now,
        nextResendAt: now + 30_000,
        delivery: { id: name, leaseUntil: now + 90_000 },
      })

    expect(await resend(noon + 29_999, 'early')).toBeNull()
    for (const [round, now] of [noon + 30_000, noon + 60_000, noon + 90_000].entries()) {
      const claims = await Promise.all(times(20, (index) => resend(now, `${round}-${index}`)))
      expect(claims.filter((claim) => claim !== null).length).toBe(1)
    }
    expect(await resend(noon + 120_000, 'fourth')).toBeNull()
    expect((await verifications.get(appId, id))?.resendsSpent).toBe(3)
  })

  test('the budget turns codes long exactly when failures and open attempts fill it', async () => {
    const { verifications } = await open()
    const budgetKey = bytes(16)
    const options = { budgetKey, budget: [{ max: 12, windowMs: dayMs }], attemptsMax: 5 }
    const start = async (now: number) => {
      const command = startCommand({ ...options, now })
      const result = await verifications.start(command)
      if (result.outcome !== 'started') throw new Error(result.outcome)
      return { command, format: result.verification.codeFormat }
    }

    const first = await start(noon)
    expect(first.format).toBe('numeric')
    expect((await start(noon)).format).toBe('numeric')
    // 10 of 12 are reserved: 5 more do not fit.
    expect((await start(noon)).format).toBe('crockford')

    for (let i = 0; i < 3; i++) {
      await verifications.chargeAttempt(attempt(first.command, false, noon))
    }
    // Expired codes hold nothing back; the 3 failures stay for the whole window.
    expect((await start(noon + hourMs)).format).toBe('numeric')
    expect((await start(noon + hourMs)).format).toBe('crockford')
    expect((await start(noon + 2 * dayMs)).format).toBe('numeric')
  })

  test('an approved or canceled code gives its open attempts back to the budget', async () => {
    const { verifications } = await open()
    const options = { budgetKey: bytes(16), budget: [{ max: 9, windowMs: dayMs }] }
    const formatOfNext = async () => {
      const command = startCommand(options)
      const result = await verifications.start(command)
      if (result.outcome !== 'started') throw new Error(result.outcome)
      return { command, format: result.verification.codeFormat }
    }
    const approved = await formatOfNext()
    expect((await formatOfNext()).format).toBe('crockford')
    await verifications.chargeAttempt(attempt(approved.command, true))

    const canceled = await formatOfNext()
    expect(canceled.format).toBe('numeric')
    await verifications.cancel({ ...canceled.command.verification, now: noon })
    expect((await formatOfNext()).format).toBe('numeric')
  })

  test('two hundred parallel starts never reserve more than the budget', async () => {
    const { verifications } = await open()
    const options = { budgetKey: bytes(16), budget: [{ max: 25, windowMs: dayMs }] }
    const starts = times(200, () => verifications.start(startCommand(options)))
    const formats = (await Promise.all(starts)).map((result) =>
      result.outcome === 'started' ? result.verification.codeFormat : result.outcome,
    )
    expect(formats.filter((format) => format === 'numeric').length).toBe(5)
    expect(formats.filter((format) => format === 'crockford').length).toBe(195)
  })

  test('failures stay counted when their verification is swept', async () => {
    const { verifications, records } = await open()
    const options = { budgetKey: bytes(16), budget: [{ max: 9, windowMs: 30 * dayMs }] }
    const command = startCommand(options)
    await verifications.start(command)
    for (let i = 0; i < 5; i++) await verifications.chargeAttempt(attempt(command, false))

    const now = noon + 8 * dayMs
    const sweep = { limitsBefore: 0, eventsBefore: 0, auditBefore: 0, limit: 10 }
    await records.sweep({ ...sweep, now, verificationsBefore: noon + dayMs })
    expect(await verifications.get('app', command.verification.id)).toBeNull()

    const formatAt = async (at: number) => {
      const result = await verifications.start(startCommand({ ...options, now: at }))
      return result.outcome === 'started' ? result.verification.codeFormat : result.outcome
    }
    expect(await formatAt(now)).toBe('crockford')
    expect(await formatAt(noon + 31 * dayMs)).toBe('numeric')
  })

  test('after a sweep of everything nobody pays for the failures of another', async () => {
    const { verifications, records } = await open()
    const budget = [{ max: 9, windowMs: 30 * dayMs }]
    const mine = { budgetKey: bytes(16), budget }
    await verifications.start(startCommand(mine))
    const sweep = { limitsBefore: 0, eventsBefore: 0, auditBefore: 0, limit: 10 }
    await records.sweep({ ...sweep, now: noon + dayMs, verificationsBefore: noon + dayMs })

    const theirs = startCommand({ budgetKey: bytes(16), budget })
    await verifications.start(theirs)
    for (let i = 0; i < 5; i++) await verifications.chargeAttempt(attempt(theirs, false))

    const result = await verifications.start(startCommand(mine))
    if (result.outcome !== 'started') throw new Error(result.outcome)
    expect(result.verification.codeFormat).toBe('numeric')
  })

  test('an exhausted budget without a long code refuses and stores nothing', async () => {
    const { verifications } = await open()
    const options = { budget: [{ max: 4, windowMs: dayMs }], long: false }
    const command = startCommand(options)

    expect((await verifications.start(command)).outcome).toBe('budget_exhausted')
    const { appId, id } = command.verification
    expect(await verifications.get(appId, id)).toBeNull()
  })

  test('one Idempotency-Key starts once, whatever arrives together', async () => {
    const { verifications } = await open()
    const idempotency = { key: bytes(32), fingerprint: bytes(32) }
    const starts = times(50, () => verifications.start(startCommand({ idempotency })))
    const results = await Promise.all(starts)
    expect(results.filter(({ outcome }) => outcome === 'started').length).toBe(1)
    expect(results.filter(({ outcome }) => outcome === 'replayed').length).toBe(49)

    const other = { ...idempotency, fingerprint: bytes(32) }
    const reused = await verifications.start(startCommand({ idempotency: other }))
    expect(reused.outcome).toBe('key_reused')

    const nextDay = startCommand({ idempotency: other, now: noon + dayMs })
    expect((await verifications.start(nextDay)).outcome).toBe('started')
  })

  test('a kept answer is replayed as it was given', async () => {
    const { verifications } = await open()
    const idempotency = { key: bytes(32), fingerprint: bytes(32) }
    const command = startCommand({ idempotency })
    await verifications.start(command)
    await verifications.keepAnswer({ appId: 'app', key: idempotency.key, answer: '{"id":1}' })

    const replay = await verifications.start(startCommand({ idempotency }))
    expect(replay).toEqual({
      outcome: 'replayed',
      verificationId: command.verification.id,
      answer: '{"id":1}',
      keptAt: noon,
    })
  })

  test('pages show every verification once, the newest first, by status as of now', async () => {
    const { verifications } = await open()
    const commands = times(7, (index) => startCommand({ ttlMs: index < 3 ? 1000 : 600_000 }))
    for (const command of commands) await verifications.start(command)

    const query = { appId: 'app', now: noon + 2000, limit: 3 }
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await verifications.list({ ...query, cursor })
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    } while (cursor)

    expect(seen).toEqual(commands.map(({ verification }) => verification.id).reverse())
    const expired = await verifications.list({ ...query, cursor: null, status: 'expired' })
    expect(expired.items.map((item) => statusOf(item, noon + 2000))).toEqual(
      times(3, () => 'expired' as const),
    )
  })
}
