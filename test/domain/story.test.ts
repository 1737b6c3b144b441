import { expect, test } from 'bun:test'
import type { Event } from '../../src/domain/event.ts'
import { cancelVerification } from '../../src/domain/verification/cancel.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { readStory, stepsOf } from '../../src/domain/verification/story.ts'
import type { Verification } from '../../src/domain/verification/verification.ts'
import { tryOf } from '../support/commands.ts'
import { codeOf, noon, problemOf, type World, world, wrongCode } from '../support/world.ts'

async function start(at: World): Promise<Verification> {
  const request = { app: at.app, mode: 'live', startedBy: 'v1', to: 'ada@example.com' } as const
  return (await startVerification(at, request)).verification
}

const kindsOf = async (at: World, verification: Verification) =>
  (await readStory(at, verification)).steps.map(({ kind, at: time }) => [kind, time - noon])

/** Writes a try of the latest message. */
async function settle(at: World, made: Parameters<typeof tryOf>[0]): Promise<void> {
  const { delivery } = at.sent.at(-1) ?? {}
  if (!delivery) throw new Error('nothing was handed over')
  const { status = 'sent', detail = null } = made ?? {}
  await at.deliveries.settle({
    ...{ delivery, made: tryOf({ endpointId: delivery.endpointId, ...made }), now: at.clock.now() },
    ...{ status, detail, event: `delivery.${status}`, counted: null },
    ...{ suppress: null, again: null, follow: null },
  })
}

test('a story tells start, message, tries, wrong codes and the approval in their order', async () => {
  const at = await world()
  const verification = await start(at)
  await settle(at, { at: noon + 1_200, tookMs: 5, detail: '250 ok' })
  for (const [advance, code] of [
    [1_000, wrongCode(codeOf(at.sent[0]))],
    [500, codeOf(at.sent[0])],
  ] as const) {
    at.clock.advance(advance)
    await checkVerification(at, { ...verification, code })
  }

  expect(await kindsOf(at, verification)).toEqual([
    ['started', 0],
    ['queued', 0],
    ['wrong_code', 1_000],
    ['sent', 1_205],
    ['approved', 1_500],
  ])
  const { steps } = await readStory(at, verification)
  expect(steps[3]).toMatchObject({
    ...{ channel: 'email', tookMs: 5, code: '250', detail: '250 ok' },
    endpointId: at.app.endpoints[0]?.id,
  })
})

test('the last wrong code that is judged ends it', async () => {
  const at = await world({ settings: { attemptsMax: 2 } })
  const verification = await start(at)
  const code = wrongCode(codeOf(at.sent[0]))
  for (const _ of [1, 2]) await checkVerification(at, { ...verification, code })

  const kinds = (await kindsOf(at, verification)).map(([kind]) => kind)
  expect(kinds).toEqual(['started', 'queued', 'wrong_code', 'wrong_code', 'exhausted'])
})

test('a cancel, a return and an expiry are told with their times', async () => {
  const at = await world()
  const canceled = await start(at)
  at.clock.advance(40_000)
  await cancelVerification(at, canceled)
  expect((await kindsOf(at, canceled)).at(-1)).toEqual(['canceled', 40_000])

  const expired = await start(at)
  const { appId, id: verificationId, expiresAt } = expired
  const data = { id: 'd', channel: 'email', detail: 'no such user', code: '5.1.1' }
  at.clock.advance(5_000)
  await at.events.add({ at: noon + 45_000, appId, type: 'delivery.bounced', verificationId, data })
  expect((await kindsOf(at, expired)).at(-1)).toEqual(['bounced', 45_000])
  at.clock.advance(expiresAt)
  const { steps } = await readStory(at, expired)
  expect(steps.slice(-2)).toMatchObject([
    { kind: 'bounced', channel: 'email', code: '5.1.1', detail: 'no such user' },
    { kind: 'expired', at: expiresAt },
  ])
})

test('an expiry before its time, as after a restore, is told when it was', async () => {
  const at = await world()
  const started = await start(at)
  const { appId, id: verificationId, expiresAt } = started
  const verification = { ...started, forgotten: true }
  const facts = { id: 1, appId, type: 'verification.expired', verificationId, data: {} } as const
  const ended = (time: number) => {
    const events: Event[] = [{ ...facts, at: time }]
    return stepsOf({ verification, deliveries: [], events }, expiresAt).at(-1)
  }

  expect(ended(noon + 9)).toMatchObject({ kind: 'expired', at: noon + 9 })
  // The sweep writes the event later.
  expect(ended(expiresAt + 60_000)).toMatchObject({ kind: 'expired', at: expiresAt })
})

test('another mode or app has no such story', async () => {
  const at = await world()
  const { id } = await start(at)

  for (const place of [
    { appId: at.app.id, mode: 'test' },
    { appId: 'x', mode: 'live' },
  ] as const) {
    const problem = await problemOf(readStory(at, { ...place, id }))
    expect(problem.code).toBe('verification_not_found')
  }
})
