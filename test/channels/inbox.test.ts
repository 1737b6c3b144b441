import { expect, test } from 'bun:test'
import { createInboxChannel, inboxMax, listInbox } from '../../src/channels/inbox.ts'
import type { ChannelKind } from '../../src/domain/delivery/channel.ts'
import { readHandover } from '../../src/domain/delivery/handover.ts'
import { confirmBinding, startBinding } from '../../src/domain/telegram/bindings.ts'
import { cancelVerification } from '../../src/domain/verification/cancel.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { renderMessage } from '../../src/messages/render.ts'
import { type World, world } from '../support/world.ts'
import { messageOf } from './mail-fixtures.ts'

const { signal } = new AbortController()

/** Starts with the test key and delivers to the inbox, as the sender does. */
async function deliver(w: World, to: string, channel: ChannelKind = 'email') {
  const { app } = w
  const { verification } = await startVerification(w, {
    ...{ app, mode: 'test', startedBy: 'v1', to, locale: 'de-AT', channel },
  })
  const last = w.sent.at(-1)
  if (!last) throw new Error('nothing was handed over')
  const outcome = await createInboxChannel(w).deliver(last.handover, signal)
  return { verification, outcome, ...last }
}

test('the inbox shows a message as it was rendered', async () => {
  const w = await world()
  const { outcome, handover, delivery, verification } = await deliver(w, 'ada@example.com')

  expect(outcome).toMatchObject({ status: 'sent' })
  const { subject, text, html } = renderMessage(messageOf(handover))
  expect(subject).toContain('ist Ihr Code')
  expect(await listInbox(w, { appId: null, limit: 10 })).toEqual([
    {
      deliveryId: delivery.id,
      appId: w.app.id,
      appName: 'Acme',
      verificationId: verification.id,
      to: 'ada@example.com',
      language: 'de',
      subject,
      text,
      html,
      code: handover.code,
      reference: verification.reference,
      status: 'pending',
      at: w.clock.now(),
      expiresAt: verification.expiresAt,
    },
  ])
  await w.store.close()
})

test('a message to a Telegram recipient is kept once its binding is active, and refused else', async () => {
  const w = await world({ settings: { recipientStartSpacingSeconds: 1 } })
  const { binding } = await startBinding(w, { app: w.app, mode: 'test' })
  const send = async () => {
    w.clock.advance(1_000)
    return (await deliver(w, binding.id, 'telegram')).outcome
  }
  const refused = { status: 'refused', cause: 'recipient' }

  expect(await send()).toMatchObject(refused)
  await confirmBinding(w, { appId: w.app.id, mode: 'test', id: binding.id })
  expect(await send()).toMatchObject({ status: 'sent' })
  const [message] = await listInbox(w, { appId: null, limit: 10 })
  expect(message).toMatchObject({ to: binding.id, code: w.sent.at(-1)?.handover.code })
  w.clock.advance(3_600_000)
  expect(await send()).toMatchObject(refused)
  await w.store.close()
})

test('the inbox shows the newest messages first, with the status of their verifications', async () => {
  const w = await world()
  const used = await deliver(w, 'ada@example.com')
  w.clock.advance(1)
  const canceled = await deliver(w, 'bob@example.com')
  w.clock.advance(1)
  await deliver(w, 'eve@example.com')
  await checkVerification(w, { ...used.verification, code: used.handover.code })
  await cancelVerification(w, canceled.verification)

  const messages = await listInbox(w, { appId: w.app.id, limit: 10 })

  expect(messages.map(({ to, status }) => [to, status])).toEqual([
    ['eve@example.com', 'pending'],
    ['bob@example.com', 'canceled'],
    ['ada@example.com', 'approved'],
  ])
  await w.store.close()
})

test('the inbox keeps a bounded number of messages, and neither address nor code in clear', async () => {
  const w = await world()
  const { handover } = await deliver(w, 'ada@example.com')
  for (let i = 0; i < inboxMax; i++) {
    w.clock.advance(1)
    await createInboxChannel(w).deliver({ ...handover, deliveryId: `delivery-${i}` }, signal)
  }
  const rows = await w.inbox.list({ appId: null, limit: 1_000 })

  expect(rows).toHaveLength(inboxMax)
  const kept = rows.map((row) => Buffer.from(row.recipientSealed).toString('latin1')).join()
  expect(kept).not.toContain('ada@example.com')
  expect(JSON.stringify(rows)).not.toContain(handover.code)
  await w.store.close()
})

test('the inbox leaves out messages that cannot be rendered any more', async () => {
  const w = await world()
  const { delivery } = await deliver(w, 'ada@example.com')
  const [row] = await w.inbox.list({ appId: null, limit: 1 })
  if (!row) throw new Error('the inbox is empty')
  await w.inbox.add({ row: { ...row, deliveryId: 'another row' }, keep: 10 })

  const messages = await listInbox(w, { appId: null, limit: 10 })

  expect(messages.map(({ deliveryId }) => deliveryId)).toEqual([delivery.id])
  await w.store.close()
})

test('a message waits while the database takes no writes', async () => {
  const w = await world()
  const { delivery } = await deliver(w, 'ada@example.com')
  const handover = await readHandover(w, delivery)
  await w.store.close()
  if (!handover) throw new Error('there is no message')

  const outcome = await createInboxChannel(w).deliver(handover, signal)

  expect(outcome).toMatchObject({ status: 'deferred', cause: 'busy', ambiguous: false })
})
