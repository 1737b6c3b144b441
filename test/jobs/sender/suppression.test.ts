import { afterEach, beforeEach, expect, test } from 'bun:test'
import { dayMs } from '../../../src/domain/verification/limits.ts'
import { refusedBy, says, takes } from './simulated-servers.ts'
import { openStage, type Stage, type Started } from './stage.ts'

let stage: Stage
beforeEach(async () => {
  stage = await openStage()
})
afterEach(() => stage.close())

const server = () => stage.servers.of(stage.app.endpoints[0]?.id ?? '')

/** Starts a verification with the app as it is now, and waits for the outcome of its message. */
async function send(to: string, mode: 'live' | 'test' = 'live') {
  const app = (await stage.time.until(stage.ports.apps.get(stage.app.id))) ?? stage.app
  const [started] = await stage.start(1, { app, to, mode })
  if (!started) throw new Error('nothing was started')
  const state = await stage.time.until(stage.sender.settled(started.id, 5_000))
  return { started, state }
}

async function onlyTry(started: Started) {
  const [delivery] = await stage.history(started)
  if (delivery?.history.length !== 1) throw new Error('there is not one try')
  return delivery.history[0]
}

test('after a refusal for good the next message is refused without asking the server', async () => {
  server().behave = says(refusedBy('recipient'))
  await send('ada@example.com')
  server().behave = takes(1)
  await stage.time.run(60_000)

  const { started, state } = await send('ada@example.com')

  expect(server().got).toHaveLength(1)
  expect(state).toMatchObject({ status: 'refused', detail: 'suppressed', nextAt: null })
  expect(await onlyTry(started)).toMatchObject({
    ...{ status: 'refused', cause: 'recipient', code: null, detail: 'suppressed' },
    ...{ endpointId: null, tookMs: 0 },
  })
  const query = { appId: stage.app.id, type: null, limit: 1, cursor: null }
  expect((await stage.time.until(stage.ports.events.list(query))).items).toMatchObject([
    { type: 'delivery.refused', data: { detail: 'suppressed', cause: 'recipient' } },
  ])
})

test('it also holds for a message that began before the first suppression of its app', async () => {
  server().behave = says(refusedBy('recipient'))
  await send('ada@example.com')
  server().behave = takes(1)
  await stage.time.run(60_000)

  const app = { ...stage.app, hasSuppressions: false }
  const [started] = await stage.start(1, { app, to: 'ada@example.com' })
  if (!started) throw new Error('nothing was started')
  await stage.time.run(2_000)

  expect(await onlyTry(started)).toMatchObject({ detail: 'suppressed' })
  expect(server().got).toHaveLength(1)
})

test('it also holds for a message that another process queued', async () => {
  server().behave = says(refusedBy('recipient'))
  await send('ada@example.com')
  server().behave = takes(1)
  await stage.time.run(60_000)
  // Queued by a process that ends before it hands anything over.
  const apps = { ...stage.ports.apps, get: async () => stage.app }
  const channel = { deliver: () => new Promise<never>(() => {}), close: () => {} }
  stage.restart({ ports: { apps }, channel })
  const [started] = await stage.start(1, { to: 'ada@example.com' })
  if (!started) throw new Error('nothing was started')
  await stage.time.until(stage.ports.deliveries.releaseLeases('a'))

  stage.restart().start()
  await stage.time.run(2_000)

  expect(await onlyTry(started)).toMatchObject({ detail: 'suppressed' })
  expect(server().got).toHaveLength(1)
})

test('other spellings of the mailbox, test keys and other apps are not suppressed', async () => {
  server().behave = says(refusedBy('recipient'))
  await send('ada@example.com')
  server().behave = takes(1)
  await stage.time.run(60_000)
  const other = await stage.newApp()
  stage.servers.of(other.endpoints[0]?.id ?? '').behave = takes(1)

  expect((await send('ada+otp@example.com')).state).toMatchObject({ status: 'sent' })
  await stage.time.run(60_000)
  expect((await send('Ada@example.com')).state).toMatchObject({ status: 'sent' })
  expect((await send('ada@example.com', 'test')).state).toMatchObject({ status: 'sent' })
  const [started] = await stage.start(1, { app: other, to: 'ada@example.com' })
  const state = await stage.time.until(stage.sender.settled(started?.id ?? '', 5_000))
  expect(state).toMatchObject({ status: 'sent' })
})

test('no refusal for another reason suppresses anybody', async () => {
  const causes = ['login', 'policy', 'message', 'server'] as const
  for (const cause of causes) {
    server().behave = says(refusedBy(cause))
    await send(`${cause}@example.com`)
  }
  await stage.time.run(60_000)
  server().behave = takes(1)

  for (const cause of causes) {
    expect((await send(`${cause}@example.com`)).state).toMatchObject({ status: 'sent' })
  }
})

test('a suppression ends by itself, and being refused while suppressed does not prolong it', async () => {
  server().behave = says(refusedBy('recipient'))
  await send('ada@example.com')
  await stage.time.run(60_000)
  await send('ada@example.com')
  server().behave = takes(1)
  await stage.time.run(dayMs)

  expect((await send('ada@example.com')).state).toMatchObject({ status: 'sent' })
})

test('a sent message does not end the alarm of too many refused recipients', async () => {
  const endpointId = stage.app.endpoints[0]?.id ?? null
  const place = { appId: stage.app.id, endpointId, now: stage.time.clock.now(), data: {} }
  for (const kind of ['recipients_refused', 'policy_refused'] as const) {
    await stage.time.until(stage.ports.alarms.raise({ ...place, kind, event: 'alarm.raised' }))
  }
  server().behave = takes(1)
  await send('ada@example.com')
  await stage.time.run(1_000)

  const query = { appId: stage.app.id, open: true, limit: 9, cursor: null }
  const { items } = await stage.time.until(stage.ports.alarms.list(query))
  expect(items.map(({ kind }) => kind)).toEqual(['recipients_refused'])
})
