import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { lateMs } from '../../src/domain/ports.ts'
import { dayMs, hourMs } from '../../src/domain/verification/limits.ts'
import type { AttemptResult } from '../../src/domain/verification/stores.ts'
import {
  attempt,
  bytes,
  cancelCommand,
  keyOf,
  newRequest,
  noon,
  startCommand,
  sweepCommand,
  times,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

const isJudged = ({ outcome }: AttemptResult) => outcome === 'judged'
const isApproved = (result: AttemptResult) =>
  result.outcome === 'judged' && result.verification.status === 'approved'

/** Tests the rules of checks that every store follows. */
export function checkContract(open: OpenStores): void {
  races(open)
  refusals(open)
  idempotency(open)
  delays(open)

  test('any run of checks spends one attempt each and approves at most once', async () => {
    const { verifications } = await open()
    const checks = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(checks, fc.integer({ min: 1, max: 10 }), async (rights, attemptsMax) => {
        const command = startCommand({ attemptsMax })
        await verifications.start(command)

        const results: AttemptResult[] = []
        for (const isRight of rights) {
          results.push(await verifications.chargeAttempt(attempt(command, isRight)))
        }

        const firstRight = rights.indexOf(true)
        const open = firstRight < 0 ? rights.length : firstRight + 1
        const judged = Math.min(open, attemptsMax)
        expect(results.filter(isJudged).length).toBe(judged)
        const approvals = results.filter(isApproved).length
        expect(approvals).toBe(firstRight >= 0 && firstRight < attemptsMax ? 1 : 0)
        expect((await verifications.get(keyOf(command)))?.attemptsSpent).toBe(judged)
      }),
      { numRuns: 60 },
    )
  })

  test('an approval clears digest and address, ends the delivery and writes an event', async () => {
    const { verifications, deliveries, events } = await open()
    const command = startCommand()
    await verifications.start(command)

    const result = await verifications.chargeAttempt(attempt(command, true))

    const verification = { status: 'approved', forgotten: true, attemptsSpent: 1 }
    expect(result).toMatchObject({ outcome: 'judged', verification })
    expect(result).toEqual({
      outcome: 'judged',
      verification: (await verifications.get(keyOf(command))) as never,
    })
    expect(await verifications.sealed({ ...keyOf(command), recipient: 0 })).toBeNull()
    expect((await deliveries.backlog()).waiting).toBe(0)
    const { items } = await events.list({ appId: 'app', type: null, limit: 9, cursor: null })
    expect(items).toMatchObject([
      { type: 'verification.approved', at: noon, verificationId: command.verification.id },
    ])
  })

  test('a wrong code changes only the count, and the last one writes an event', async () => {
    const { verifications, deliveries, events } = await open()
    const command = startCommand({ attemptsMax: 2 })
    await verifications.start(command)
    const before = await verifications.get(keyOf(command))

    const first = await verifications.chargeAttempt(attempt(command, false))
    expect(first).toEqual({
      outcome: 'judged',
      verification: { ...before, attemptsSpent: 1, checkedAt: [noon] } as never,
    })
    const list = { appId: 'app', type: null, limit: 9, cursor: null }
    expect((await events.list(list)).items).toEqual([])
    await verifications.chargeAttempt(attempt(command, false))

    expect((await events.list(list)).items).toMatchObject([{ type: 'verification.exhausted' }])
    expect(await verifications.sealed({ ...keyOf(command), recipient: 0 })).not.toBeNull()
    expect((await deliveries.backlog()).waiting).toBe(1)
  })

  test('the times of checks are kept in their order, and those of refused ones are not', async () => {
    const { verifications } = await open()
    const command = startCommand({ attemptsMax: 3 })
    await verifications.start(command)
    const checkedAt = async () => (await verifications.get(keyOf(command)))?.checkedAt

    expect(await checkedAt()).toEqual([])
    const check = (isRight: boolean, now: number) =>
      verifications.chargeAttempt(attempt(command, isRight, { now }))
    await check(false, noon + 7)
    expect(await checkedAt()).toEqual([noon + 7])
    await check(true, noon + 20)
    await check(true, noon + 30)

    expect(await checkedAt()).toEqual([noon + 7, noon + 20])
  })

  test('after any number of rotations every live code is judged under its own key', async () => {
    const { verifications } = await open()
    const keyIds = ['00000000', '11111111', '2a2a2a2a', '0a']
    const commands = keyIds.map((codeKeyId, index) =>
      startCommand({ codeKeyId, now: noon + index }),
    )
    for (const command of commands) await verifications.start(command)

    for (const command of commands) {
      const digests = keyIds.map((keyId) => {
        const isOwn = keyId === command.verification.codeKeyId
        return { keyId, digest: isOwn ? command.short.digest : bytes(32) }
      })
      const wrong = digests.map(({ keyId }) => ({ keyId, digest: bytes(32) }))
      const check = attempt(command, false)
      const failed = await verifications.chargeAttempt({ ...check, digests: wrong })
      expect([isJudged(failed), isApproved(failed)]).toEqual([true, false])
      expect(isApproved(await verifications.chargeAttempt({ ...check, digests }))).toBe(true)
    }
  })

  test('a digest under another key than the row names is never right', async () => {
    const { verifications } = await open()
    const command = startCommand({ codeKeyId: 'old' })
    await verifications.start(command)
    const { digest } = command.short
    const check = attempt(command, false)
    const digests = [
      { keyId: 'new', digest },
      { keyId: 'old', digest: bytes(32) },
    ]

    const result = await verifications.chargeAttempt({ ...check, digests })

    expect([isJudged(result), isApproved(result)]).toEqual([true, false])
  })

  test('a check with no digest under the key that the row names costs nothing', async () => {
    const { verifications } = await open()
    const command = startCommand({ codeKeyId: 'old' })
    await verifications.start(command)
    const check = attempt(command, false)
    const [one, two] = ['new', 'newer'].map((keyId) => ({ keyId, digest: command.short.digest }))
    if (!one || !two) throw new Error('no digests')

    const verification = await verifications.get(keyOf(command))
    for (const digests of [[], [one], [one, two]]) {
      const result = await verifications.chargeAttempt({ ...check, digests })
      expect(result).toEqual({ outcome: 'refused', verification })
    }
    expect(verification?.attemptsSpent).toBe(0)
  })
}

function races(open: OpenStores): void {
  test('two hundred parallel guesses get no more than the allowed attempts', async () => {
    const { verifications } = await open()
    const command = startCommand({ attemptsMax: 5 })
    await verifications.start(command)

    const guesses = times(200, () => verifications.chargeAttempt(attempt(command, false)))
    const results = await Promise.all(guesses)

    expect(results.filter(isJudged).length).toBe(5)
    const right = await verifications.chargeAttempt(attempt(command, true))
    expect(right).toMatchObject({ outcome: 'refused', verification: { attemptsSpent: 5 } })
  })

  test('two hundred parallel right codes are approved exactly once', async () => {
    const { verifications } = await open()
    const command = startCommand({ attemptsMax: 10 })
    await verifications.start(command)

    const checks = times(200, () => verifications.chargeAttempt(attempt(command, true)))
    const results = await Promise.all(checks)

    expect(results.filter(isApproved).length).toBe(1)
    const refused = results.filter((result) => !isApproved(result))
    expect(refused).toEqual(
      times(199, () => expect.objectContaining({ outcome: 'refused' })) as never,
    )
    expect((await verifications.get(keyOf(command)))?.attemptsSpent).toBe(1)
  })
}

function refusals(open: OpenStores): void {
  test('a code is accepted until the last millisecond of its life and not after', async () => {
    const { verifications } = await open()
    const [early, late] = [startCommand(), startCommand()]
    await verifications.start(early)
    await verifications.start(late)

    const after = attempt(late, true, { now: noon + 600_000 })
    expect((await verifications.chargeAttempt(after)).outcome).toBe('refused')
    const before = attempt(early, true, { now: noon + 599_999 })
    expect(isApproved(await verifications.chargeAttempt(before))).toBe(true)
  })

  test('the code of one verification is wrong for another', async () => {
    const { verifications } = await open()
    const [one, other] = [startCommand(), startCommand()]
    await verifications.start(one)
    await verifications.start(other)

    const { digests } = attempt(one, true)
    const crossed = await verifications.chargeAttempt({ ...attempt(other, false), digests })

    expect(crossed).toMatchObject({ outcome: 'judged', verification: { attemptsSpent: 1 } })
    expect(isApproved(crossed)).toBe(false)
  })

  test('a code of another length or format spends no attempt', async () => {
    const { verifications } = await open()
    const command = startCommand()
    await verifications.start(command)
    const stored = await verifications.get(keyOf(command))

    const right = attempt(command, true)
    const refused = { outcome: 'refused', verification: stored } as never
    expect(await verifications.chargeAttempt({ ...right, length: 7 })).toEqual(refused)
    const long = { ...right, format: 'crockford' as const, length: 13 }
    expect(await verifications.chargeAttempt(long)).toEqual(refused)
  })

  test('a check of an ended verification is refused, with the verification as it is', async () => {
    const { verifications } = await open()
    const [approved, canceled] = [startCommand(), startCommand()]
    await verifications.start(approved)
    await verifications.start(canceled)
    await verifications.chargeAttempt(attempt(approved, true))
    await verifications.cancel(cancelCommand(canceled))

    for (const command of [approved, canceled]) {
      const verification = await verifications.get(keyOf(command))
      const result = await verifications.chargeAttempt(attempt(command, true))
      expect(result).toEqual({ outcome: 'refused', verification })
    }
    const unknown = await verifications.chargeAttempt(attempt(startCommand(), true))
    expect(unknown).toEqual({ outcome: 'refused', verification: null })
  })

  test('an id that is no text of a database is unknown, and disturbs no other check', async () => {
    const { verifications } = await open()
    const command = startCommand()
    await verifications.start(command)

    const unknown = ['', '\0', 'a\0b', 'a\ufffdb', '\ud800', 'x'.repeat(10_000)].map((id) => ({
      ...{ ...attempt(command, true), id },
    }))
    const results = await Promise.all(
      [...unknown, attempt(command, true)].map(verifications.chargeAttempt),
    )

    const judged = results.pop()
    expect(judged && isApproved(judged)).toBe(true)
    const refused = { outcome: 'refused', verification: null }
    expect(results).toEqual(unknown.map(() => refused) as never)
  })

  test('a check of a forgotten verification costs nothing, whatever the clock says', async () => {
    const { verifications, maintenance } = await open()
    const command = startCommand()
    await verifications.start(command)
    await maintenance.sweep(sweepCommand(noon + 600_000))

    // The clock was ahead in the sweep, and is right again.
    const result = await verifications.chargeAttempt(attempt(command, true))

    const verification = { forgotten: true, attemptsSpent: 0, status: 'pending' }
    expect(result).toMatchObject({ outcome: 'refused', verification })
    expect(await verifications.sealed({ ...keyOf(command), recipient: 0 })).toBeNull()
  })
}

function idempotency(open: OpenStores): void {
  test('two hundred guesses with one Idempotency-Key spend one attempt on one code', async () => {
    const { verifications } = await open()
    const command = startCommand()
    await verifications.start(command)
    const request = newRequest()
    const guesses = times(200, (index) => ({
      ...attempt(command, index === 7),
      idempotency: { ...request, fingerprint: new Uint8Array(32).fill(index) },
    }))

    const results = await Promise.all(guesses.map(verifications.chargeAttempt))

    expect(results.filter(isJudged).length).toBe(1)
    expect(results.filter(({ outcome }) => outcome === 'key_reused').length).toBe(199)
    expect((await verifications.get(keyOf(command)))?.attemptsSpent).toBe(1)
  })

  test.each([true, false])(
    'a repeated check gets the answer of the first one (right: %p)',
    async (isRight) => {
      const { verifications, maintenance } = await open()
      const command = startCommand({ metadata: { b: '1', a: '2' } })
      await verifications.start(command)
      const check = attempt(command, isRight, { now: noon + 5, idempotency: newRequest() })
      const first = await verifications.chargeAttempt(check)
      await verifications.chargeAttempt(attempt(command, false, { now: noon + 6 }))
      await maintenance.sweep(sweepCommand(noon + 600_000, { verificationsBefore: noon + 1 }))

      const replays = await Promise.all(
        times(20, () => verifications.chargeAttempt({ ...check, now: noon + 7 })),
      )

      if (first.outcome !== 'judged') throw new Error(first.outcome)
      for (const replay of replays) {
        if (replay.outcome !== 'replayed') throw new Error(replay.outcome)
        expect(replay.at).toBe(noon + 5)
        expect(JSON.stringify(replay.verification)).toBe(JSON.stringify(first.verification))
      }
    },
  )

  test('a refused check stores no Idempotency-Key, and with a forgotten one a check is judged again', async () => {
    const { verifications } = await open()
    const command = startCommand()
    await verifications.start(command)
    const idempotency = newRequest()
    const short = { ...attempt(command, false, { idempotency }), length: 7 }
    expect((await verifications.chargeAttempt(short)).outcome).toBe('refused')

    const wrong = attempt(command, false, { idempotency })
    expect(isJudged(await verifications.chargeAttempt(wrong))).toBe(true)
    const since = { ...idempotency, since: noon }
    const later = await verifications.chargeAttempt({ ...wrong, idempotency: since })
    expect(later).toMatchObject({ outcome: 'judged', verification: { attemptsSpent: 2 } })
  })
}

function delays(open: OpenStores): void {
  const checkDelaysMs = [0, 0, 5_000, 15_000, 15_000]
  const outcomes = (results: AttemptResult[]) => results.map(({ outcome }) => outcome)

  test('a check before its time spends nothing and judges nothing, not even the right code', async () => {
    const { verifications } = await open()
    const command = startCommand({ checkDelaysMs })
    await verifications.start(command)
    const check = (now: number, isRight = false) =>
      verifications.chargeAttempt(attempt(command, isRight, { now }))

    expect(outcomes([await check(noon), await check(noon)])).toEqual(['judged', 'judged'])
    const early = await check(noon + 4_999, true)
    expect(early).toMatchObject({
      ...{ outcome: 'refused' },
      verification: { status: 'pending', attemptsSpent: 2, checkAt: noon + 5_000 },
    })
    expect(await check(noon + 5_000)).toMatchObject({ verification: { checkAt: noon + 20_000 } })
    expect(outcomes([await check(noon + 19_999, true)])).toEqual(['refused'])
    expect(isApproved(await check(noon + 20_000, true))).toBe(true)
  })

  test('the first check may have a wait, too', async () => {
    const { verifications } = await open()
    const command = startCommand({ checkDelaysMs: [3_000, 0] })
    await verifications.start(command)
    const at = (now: number) => verifications.chargeAttempt(attempt(command, true, { now }))

    expect(outcomes([await at(noon + 2_999), await at(noon + 3_000)])).toEqual([
      'refused',
      'judged',
    ])
  })

  test('two hundred parallel checks get one judgement in each wait', async () => {
    const { verifications } = await open()
    const command = startCommand({ checkDelaysMs, attemptsMax: 5 })
    await verifications.start(command)
    const judgedAt = async (now: number) => {
      const checks = times(200, () => attempt(command, false, { now }))
      const results = await Promise.all(checks.map(verifications.chargeAttempt))
      return results.filter(isJudged).length
    }

    expect(await judgedAt(noon)).toBe(2)
    expect(await judgedAt(noon + 5_000)).toBe(1)
    expect(await judgedAt(noon + 20_000)).toBe(1)
    expect(await judgedAt(noon + 34_999)).toBe(0)
    expect(await judgedAt(noon + 35_000)).toBe(1)
    expect(await judgedAt(noon + 60_000)).toBe(0)
  })

  test('a wait before a check holds for a check whose time was read before it began', async () => {
    const { verifications } = await open()
    const command = startCommand({
      checkDelaysMs: [0, 5_000, 5_000],
      ttlMs: dayMs,
      now: noon - hourMs,
    })
    await verifications.start(command)
    const judged = async (now: number) =>
      isJudged(await verifications.chargeAttempt(attempt(command, false, { now })))

    expect(await judged(noon)).toBe(true)
    expect(await judged(noon - 1)).toBe(false)
    expect(await judged(noon - lateMs)).toBe(false)
    // A wrong clock has written that.
    expect(await judged(noon - lateMs - 1)).toBe(true)
  })

  test('after a clock that was ahead no check waits longer than its delay', async () => {
    const { verifications } = await open()
    const command = startCommand({ checkDelaysMs: [0, 5_000, 5_000], ttlMs: dayMs })
    await verifications.start(command)
    const judged = async (now: number) =>
      isJudged(await verifications.chargeAttempt(attempt(command, false, { now })))

    expect(await judged(noon + hourMs)).toBe(true)
    expect(await judged(noon)).toBe(true)
    expect(await judged(noon + 4_999)).toBe(false)
    expect(await judged(noon + 5_000)).toBe(true)
  })
}
