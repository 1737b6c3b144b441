import { type DeliveryOutcome, deferredBy, type Handover } from '../../domain/delivery/delivery.ts'
import { lifeLeft } from '../../domain/delivery/life.ts'
import type { Channel, Ports } from '../../domain/ports.ts'
import { chatOf, leaveChat, openBot } from '../../domain/telegram/bindings.ts'
import { renderShort } from '../../messages/short.ts'
import { outcomeOfFault } from '../http-outcome.ts'
import { type ApiAnswer, callBot, isGone, isTokenRefused } from './api.ts'

type TelegramPorts = Pick<Ports, 'bindings' | 'keyring' | 'clock' | 'httpOut'>

/** Sends codes to persons who let the app write to them, through the app's own bot. */
export function createTelegramChannel(ports: TelegramPorts): Channel {
  const { httpOut, bindings, keyring } = ports
  return {
    async deliver(handover, signal, lease) {
      const { app, mode, endpoint, recipient } = handover
      const bot = endpoint && openBot(ports, app, endpoint)
      if (!bot) return noBot
      const key = { appId: app.id, mode, id: recipient.address }
      const found = await chatOf(ports, bot, key).catch(() => null)
      if (found === null) return deferredBy('busy', 'the database cannot be read now')
      if ('reason' in found) return refusedRecipient(found.reason)

      const params = messageFor(handover, ports.clock.now(), found.chat)
      const call = { method: 'sendMessage', params, signal, lease }
      const answer = await callBot(httpOut, bot, call)
      if ('ok' in answer && !answer.ok && isGone(answer)) {
        await leaveChat({ bindings, keyring }, bot, found.chat).catch(() => {})
      }
      return withoutCode(outcomeOf(answer), handover.code)
    },
    close: () => {},
  }
}

/** Plain text, which nobody can forward or save. */
function messageFor(handover: Handover, now: number, chat: string) {
  const { app, code, locale, expiresAt } = handover
  const life = lifeLeft(expiresAt, now)
  return {
    chat_id: Number(chat),
    text: renderShort({ app, locale, code, life }).text,
    protect_content: true,
    link_preview_options: { is_disabled: true },
  }
}

/** The outcome of `sendMessage`. */
export function outcomeOf(answer: ApiAnswer): DeliveryOutcome {
  if ('fault' in answer) return outcomeOfFault(answer, 'the Bot API')
  if (answer.ok) {
    const id = answer.result['message_id']
    const remoteId = Number.isSafeInteger(id) ? String(id) : null
    return { status: 'sent', code: null, detail: null, remoteId }
  }
  const { description: detail, retryAfterMs } = answer
  const code = String(answer.code)
  if (answer.code === 429 || answer.code >= 500) {
    const wait = { ambiguous: false, retryAfterMs }
    return { status: 'deferred', cause: 'busy', ...wait, code, detail }
  }
  if (isGone(answer)) return refusedRecipient(detail)
  const cause = isTokenRefused(answer) ? 'login' : answer.code === 400 ? 'message' : 'server'
  return { status: 'refused', cause, code, detail }
}

/** Without a code: the binding ends, so that nothing is left to suppress. */
function refusedRecipient(detail: string): DeliveryOutcome {
  return { status: 'refused', cause: 'recipient', code: null, detail }
}

const noBot: DeliveryOutcome = {
  ...{ status: 'refused', cause: 'server', code: null },
  detail: 'this app has no bot whose token can be opened',
}

function withoutCode(outcome: DeliveryOutcome, secret: string): DeliveryOutcome {
  const detail = outcome.detail?.replaceAll(secret, '<code>') ?? null
  return { ...outcome, detail } as DeliveryOutcome
}
