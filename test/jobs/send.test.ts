import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { cancelVerification } from '../../src/domain/cancel-verification.ts'
import { checkVerification } from '../../src/domain/check-verification.ts'
import { leaseMs } from '../../src/domain/start-verification.ts'
import { until } from '../support/smtp.ts'
import { wrongCode } from '../support/world.ts'
import { deferred, openStage, refused, type Stage } from './send-fixtures.ts'

let stage: Stage

beforeEach(async () => {
  stage = await openStage()
})

afterEach(() => stage.close())

describe('what was just queued', () => {
  test('is handed over at once and told to who waits', async () => {
    const { deliveryId } = await stage.start('ada@example.com')

    expect(await stage.sender.settled(deliveryId, 5_000)).toEqual({
      status: 'sent',
      detail: '250 queued',
    })
    expect(stage.email.got.map(({ recipient }) => recipient)).toEqual(['ada@example.com'])
    expect(await stage.world.deliveries.get(stage.world.app.id, deliveryId)).toMatchObject({
      status: 'sent',
      tries: 1,
    })
  })

  test('is told to who asks after its end, and to nobody too late', async () => {
    const { deliveryId } = await stage.start('ada@example.com')
    await stage.sender.settled(deliveryId, 5_000)

    expect(await stage.sender.settled(deliveryId, 0)).toMatchObject({ status: 'sent' })
    expect(await stage.sender.settled('no such delivery', 1)).toBeNull()
  })

  test('is not handed over a second time by the look for what is due', async () => {
    const { deliveryId } = await stage.start('ada@example.com')
    await stage.sender.settled(deliveryId, 5_000)
    stage.sender.start()

    expect(await stage.nextLook()).toEqual([])
    expect(stage.email.got).toHaveLength(1)
  })

  test('tells a try that was put off, and the next end after it', async () => {
    stage.email.answers.push(deferred)
    const { deliveryId } = await stage.start('ada@example.com')
    expect(await stage.sender.settled(deliveryId, 5_000)).toMatchObject({ status: 'deferred' })

    const next = stage.sender.settled(deliveryId, 5_000)
    stage.world.clock.advance(18_000)
    stage.sender.start()

    expect(await next).toMatchObject({ status: 'sent' })
  })
})

describe('what was put off', () => {
  test('is tried again in the code’s life with the same digits, then given up', async () => {
    stage.email.answers.push(...Array.from({ length: 10 }, () => deferred))
    const { deliveryId } = await stage.start('ada@example.com')
    const states = [await stage.sender.settled(deliveryId, 5_000)]
    stage.sender.start()
    for (const waitMs of [15_000, 45_000, 120_000, 240_000]) {
      stage.world.clock.advance(waitMs * 1.2)
      states.push(await stage.sender.settled(deliveryId, 5_000))
    }

    const statuses = states.map((state) => state?.status)
    expect(statuses).toEqual([...Array(4).fill('deferred'), 'undeliverable'])
    expect(new Set(stage.email.got.map(({ code }) => code)).size).toBe(1)
    expect(new Set(stage.email.got.map((handover) => handover.deliveryId)).size).toBe(1)
    expect(await stage.world.deliveries.get(stage.world.app.id, deliveryId)).toMatchObject({
      status: 'undeliverable',
      detail: '450 later',
      tries: 5,
    })
  })

  test('waits no less than the delay says', async () => {
    stage.email.answers.push(deferred)
    const { deliveryId } = await stage.start('ada@example.com')
    await stage.sender.settled(deliveryId, 5_000)
    stage.world.clock.advance(14_999)
    stage.sender.start()

    expect(await stage.nextLook()).toEqual([])
    expect(stage.email.got).toHaveLength(1)
  })

  test('is not tried again once no attempt is left', async () => {
    stage.email.answers.push(deferred)
    const { deliveryId, verification } = await stage.start('ada@example.com')
    await stage.sender.settled(deliveryId, 5_000)
    const code = wrongCode(stage.email.got[0]?.code ?? '')
    const { id, appId } = verification
    for (let i = 0; i < 5; i++) await checkVerification(stage.world, { appId, id, code })

    const end = stage.sender.settled(deliveryId, 5_000)
    stage.world.clock.advance(60_000)
    stage.sender.start()

    expect((await end)?.status).toBe('undeliverable')
    expect(stage.email.got).toHaveLength(1)
  })

  test('is not tried again once the code was used or canceled', async () => {
    stage.email.answers.push(deferred, deferred)
    const used = await stage.start('ada@example.com')
    const canceled = await stage.start('bob@example.com')
    const both = [used, canceled]
    await Promise.all(both.map(({ deliveryId }) => stage.sender.settled(deliveryId, 5_000)))
    const code = stage.email.got.find(({ recipient }) => recipient === 'ada@example.com')?.code
    await checkVerification(stage.world, {
      appId: stage.world.app.id,
      id: used.verification.id,
      code,
    })
    await cancelVerification(stage.world, {
      appId: stage.world.app.id,
      id: canceled.verification.id,
    })

    const ends = both.map(({ deliveryId }) => stage.sender.settled(deliveryId, 5_000))
    stage.world.clock.advance(60_000)
    stage.sender.start()

    for (const end of await Promise.all(ends)) expect(end?.status).toBe('undeliverable')
    expect(stage.email.got).toHaveLength(2)
  })
})

test('what was refused is not tried again', async () => {
  stage.email.answers.push(refused)
  const { deliveryId } = await stage.start('ada@example.com')
  expect(await stage.sender.settled(deliveryId, 5_000)).toEqual({
    status: 'refused',
    detail: '550 no',
  })
  stage.world.clock.advance(300_000)
  stage.sender.start()

  expect(await stage.nextLook()).toEqual([])
  expect(stage.email.got).toHaveLength(1)
})

describe('what another process left behind', () => {
  test('is sent with the same digits once its lease has run out', async () => {
    const { deliveryId } = await stage.start('ada@example.com', { outbox: stage.world.outbox })
    const before = stage.world.sent[0]?.handover
    stage.world.clock.advance(leaseMs)
    stage.sender.start()

    expect(await stage.sender.settled(deliveryId, 5_000)).toMatchObject({ status: 'sent' })
    const [after] = stage.email.got
    expect(after).toEqual(before)
  })

  test('is left alone while its lease holds', async () => {
    await stage.start('ada@example.com', { outbox: stage.world.outbox })
    stage.world.clock.advance(leaseMs - 1)
    stage.sender.start()

    expect(await stage.nextLook()).toEqual([])
  })

  test('is all found, however much it is', async () => {
    for (let i = 0; i < 120; i++)
      await stage.start(`u${i}@example.com`, { outbox: stage.world.outbox })
    stage.world.clock.advance(leaseMs)
    stage.sender.start()
    await until(() => stage.email.got.length === 120)

    expect(new Set(stage.email.got.map(({ recipient }) => recipient)).size).toBe(120)
  })
})
