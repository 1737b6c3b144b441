import { expect, test } from 'bun:test'
import { createInbox } from '../../src/channels/inbox.ts'
import { renderMessage } from '../../src/domain/message.ts'
import { appWith, handoverOf, noon } from './mail-fixtures.ts'

const { signal } = new AbortController()

test('the inbox shows a message as it was rendered', async () => {
  const inbox = createInbox({ clock: { now: () => noon + 5 } })
  const handover = handoverOf(appWith())

  expect(await inbox.deliver(handover, signal)).toMatchObject({ status: 'sent' })
  const { subject, text, html } = renderMessage(handover)
  expect(inbox.list()).toEqual([
    {
      deliveryId: handover.deliveryId,
      appId: 'app-1',
      appName: 'Acme',
      to: 'ada@example.com',
      subject,
      text,
      html,
      code: '483920',
      reference: 'KX47',
      at: noon + 5,
      expiresAt: noon + 600_000,
    },
  ])
})

test('the inbox keeps the newest messages, newest first', async () => {
  const inbox = createInbox({ clock: { now: () => noon }, max: 2 })
  for (const code of ['1111', '2222', '3333']) {
    await inbox.deliver(handoverOf(appWith(), { code }), signal)
  }

  expect(inbox.list().map(({ code }) => code)).toEqual(['3333', '2222'])
})
