import type {
  TelegramGatewaySecrets,
  TelegramGatewaySettings,
} from '../../domain/app/gateway-fields.ts'
import type { Report } from '../../domain/delivery/report.ts'
import type { HttpRequest } from '../../domain/http-out.ts'
import {
  busy,
  byStatus,
  causesOf,
  type Gateway,
  jsonOf,
  objectOf,
  type Posted,
  refused,
  taken,
  textOf,
} from './gateway.ts'
import { hmac, isRecent, isSignature, sha256 } from './signature.ts'

/** Telegram's Gateway: codes by telephone number, for people who use Telegram. */
export const telegramGateway: Gateway<TelegramGatewaySettings, TelegramGatewaySecrets> = {
  name: 'Telegram Gateway',
  send({ to, code, codeFormat, lifeMs, callbackUrl, deliveryId }, { sender }, secrets) {
    if (codeFormat !== 'numeric' || !/^\d{4,8}$/.test(code)) return 'unsupported'
    // What is not delivered in this time is paid back.
    const ttl = Math.min(Math.max(Math.floor(lifeMs / 1000), ttlMin), ttlMax)
    return call(secrets, 'sendVerificationMessage', {
      phone_number: to,
      code,
      ttl,
      payload: deliveryId,
      ...(sender !== null && { sender_username: sender }),
      ...(callbackUrl !== null && { callback_url: callbackUrl }),
    })
  },
  outcome(answer) {
    const { ok, result, error } = jsonOf(answer.body)
    if (ok === true) return taken('ok', objectOf(result)['request_id'])
    const name = /^[A-Z][A-Z0-9_]{2,63}$/.exec(textOf(error))?.[0]
    if (ok !== false || name === undefined) return byStatus('Telegram Gateway', answer)
    const detail = `Telegram Gateway: ${name}`
    const wait = /^FLOOD_WAIT(?:_(\d{1,6}))?$/.exec(name)
    if (wait) {
      const retryAfterMs = wait[1] === undefined ? answer.retryAfterMs : Number(wait[1]) * 1000
      return busy(name, detail, { retryAfterMs })
    }
    return refused(causes.get(name) ?? 'server', name, detail)
  },
  // Nothing that it offers is free but the status of a request; without one the token is judged.
  probe: (_, secrets) => call(secrets, 'checkVerificationStatus', { request_id: '0' }),
  probeFault({ status, body }) {
    const { ok, error } = jsonOf(body)
    if (ok === true || /^REQUEST_ID_/.test(textOf(error))) return null
    return `answered ${status} ${/^[A-Z_]{3,64}$/.exec(textOf(error))?.[0] ?? ''}`.trim()
  },
  callbacks: {
    isGenuine({ headers, body, now }, _, { accessToken }) {
      const at = headers.get('x-request-timestamp')
      if (!isRecent(at, now)) return false
      const right = hmac('sha256', sha256(accessToken), `${at}\n${body}`)
      return isSignature(headers.get('x-request-signature'), 'hex', right)
    },
    read,
  },
}

const ttlMin = 30
const ttlMax = 3600

function call({ accessToken }: TelegramGatewaySecrets, method: string, body: object): HttpRequest {
  return {
    method: 'POST',
    url: `https://gatewayapi.telegram.org/${method}`,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
    body: JSON.stringify(body),
  }
}

/**
 * Telegram documents ACCESS_TOKEN_INVALID only; the others are seen by its users. A number that is
 * not on Telegram may well be reached by another channel.
 */
const causes = causesOf({
  login: 'ACCESS_TOKEN_INVALID ACCESS_TOKEN_REQUIRED',
  recipient: 'PHONE_NUMBER_INVALID',
  unsupported: 'PHONE_NUMBER_NOT_FOUND PHONE_NUMBER_NOT_AVAILABLE CODE_INVALID CODE_LENGTH_INVALID',
  policy: 'BALANCE_NOT_ENOUGH',
})

function read({ body }: Posted): Report[] {
  const { payload, delivery_status: delivery } = jsonOf(body)
  const deliveryId = textOf(payload)
  const state = textOf(objectOf(delivery)['status'])
  if (deliveryId === '') return []
  if (state === 'delivered' || state === 'read') {
    return [{ deliveryId, status: 'delivered', cause: null, code: null, detail: null }]
  }
  if (state !== 'expired' && state !== 'revoked') return []
  const detail = `Telegram Gateway: ${state}`
  return [{ deliveryId, status: 'failed', cause: null, code: state, detail }]
}
