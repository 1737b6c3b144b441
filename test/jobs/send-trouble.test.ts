import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { cancelVerification } from '../../src/domain/cancel-verification.ts'
import { leaseMs } from '../../src/domain/start-verification.ts'
import { until } from '../support/smtp.ts'
import { addApp } from '../support/world.ts'
import { deferred, openStage, refused, type Stage } from './send-fixtures.ts'

let stage: Stage

beforeEach(async () => {
  stage = await openStage()
})

afterEach(() => stage.close())

describe('apps', () => {
  test('do not wait for one another’s servers', async () => {
    const { app: other } = await addApp(stage.world, { name: 'Other' })
    stage.email.hangs = ({ app }) => app.id === stage.world.app.id
    for (let i = 0; i < 30; i++) await stage.start(`u${i}@example.com`)

    const { deliveryId } = await stage.start('ada@example.com', { app: other })

    expect(await stage.sender.settled(deliveryId, 5_000)).toMatchObject({ status: 'sent' })
    expect(stage.email.got.filter(({ app }) => app.id === stage.world.app.id)).toHaveLength(10)
  })

  test('get what waited too long for their own server from the row again', async () => {
    stage.email.hangs = () => stage.email.got.length <= 10
    for (let i = 0; i < 11; i++) await stage.start(`u${i}@example.com`)
    await until(() => stage.email.got.length === 10)
    stage.world.clock.advance(leaseMs - 40_000 + 1)
    stage.email.release()
    await until(() => stage.lines.length === 10)
    expect(stage.email.got).toHaveLength(10)

    stage.world.clock.advance(40_000)
    stage.sender.start()

    await until(() => stage.email.got.length === 11)
    expect(new Set(stage.email.got.map(({ recipient }) => recipient)).size).toBe(11)
  })
})

test('a hand-over that outlives its lease is not made twice by its process', async () => {
  stage.email.hangs = () => true
  const { deliveryId } = await stage.start('ada@example.com')
  await until(() => stage.email.got.length === 1)
  stage.world.clock.advance(leaseMs)
  stage.sender.start()
  expect(await stage.nextLook()).toMatchObject([{ id: deliveryId }])
  expect(await stage.nextLook()).toEqual([])

  stage.email.release()

  expect(await stage.sender.settled(deliveryId, 5_000)).toMatchObject({ status: 'sent' })
  expect(stage.email.got).toHaveLength(1)
})

test('what waited for its turn is not sent if it was canceled meanwhile', async () => {
  stage.email.hangs = () => stage.email.got.length <= 10
  for (let i = 0; i < 10; i++) await stage.start(`u${i}@example.com`)
  const last = await stage.start('ada@example.com')
  const { id, appId } = last.verification
  await cancelVerification(stage.world, { appId, id })
  stage.world.clock.advance(5_001)

  stage.email.release()

  const end = await stage.sender.settled(last.deliveryId, 5_000)
  expect(end).toMatchObject({ status: 'undeliverable' })
  expect(stage.email.got).toHaveLength(10)
})

describe('when something fails', () => {
  test('a channel that throws leaves the row to its lease', async () => {
    stage.email.throws = true
    const { deliveryId } = await stage.start('ada@example.com')
    await until(() => stage.lines.some(({ event }) => event === 'delivery_failed'))
    expect(await stage.world.deliveries.get(stage.world.app.id, deliveryId)).toMatchObject({
      status: 'queued',
    })

    stage.email.throws = false
    stage.world.clock.advance(leaseMs)
    stage.sender.start()

    expect(await stage.sender.settled(deliveryId, 5_000)).toMatchObject({ status: 'sent' })
  })

  test('a store that cannot write lets who waits know, and keeps the row', async () => {
    const settle = async () => {
      throw new Error('disk full')
    }
    stage.resume({ deliveries: { ...stage.world.deliveries, settle } })
    const { deliveryId } = await stage.start('ada@example.com')

    expect(await stage.sender.settled(deliveryId, 5_000)).toMatchObject({ status: 'sent' })
    expect(stage.lines.map(({ event }) => event)).toContain('delivery_failed')
    expect(await stage.world.deliveries.get(stage.world.app.id, deliveryId)).toMatchObject({
      status: 'queued',
    })
  })

  test('neither address nor code nor server’s words are logged', async () => {
    stage.email.answers.push(refused, deferred)
    await stage.start('ada@example.com')
    await stage.start('bob@example.com')
    await until(() => stage.lines.length === 2)

    const logged = JSON.stringify(stage.lines)
    for (const { code, recipient } of stage.email.got) {
      expect(logged).not.toContain(code)
      expect(logged).not.toContain(recipient)
    }
    expect(logged).not.toContain('550')
  })
})

describe('stopping', () => {
  test('lets what runs finish and begins nothing new', async () => {
    stage.email.hangs = () => true
    const { deliveryId } = await stage.start('ada@example.com')
    await until(() => stage.email.got.length === 1)

    const stopped = stage.sender.stop()
    await stage.start('bob@example.com')
    stage.email.release()
    await stopped

    expect(await stage.world.deliveries.get(stage.world.app.id, deliveryId)).toMatchObject({
      status: 'sent',
    })
    expect(stage.email.got).toHaveLength(1)
  })

  test('cuts off what does not end, and leaves its row for the next start', async () => {
    stage.email.hangs = () => true
    const { deliveryId } = await stage.start('ada@example.com')
    await until(() => stage.email.got.length === 1)
    await stage.sender.stop(0)
    expect(await stage.world.deliveries.get(stage.world.app.id, deliveryId)).toMatchObject({
      status: 'queued',
    })

    stage.email.hangs = () => false
    await stage.world.deliveries.releaseAll()
    stage.resume()
    stage.sender.start()

    expect(await stage.sender.settled(deliveryId, 5_000)).toMatchObject({ status: 'sent' })
    expect(new Set(stage.email.got.map(({ code }) => code)).size).toBe(1)
  })
})
