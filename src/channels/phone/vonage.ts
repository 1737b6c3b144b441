import type { VonageSecrets, VonageSettings } from '../../domain/app/gateway-fields.ts'
import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import type { Report } from '../../domain/delivery/report.ts'
import type { HttpAnswer } from '../../domain/http-out.ts'
import {
  busy,
  byStatus,
  causesOf,
  form,
  formHeaders,
  type Gateway,
  jsonOf,
  listOf,
  type Message,
  type Posted,
  refused,
  sayings,
  taken,
  textOf,
} from './gateway.ts'
import { hmac, isRecent, isSignature } from './signature.ts'

/** Vonage's SMS API, whose answer is 200 for errors too. */
export const vonage: Gateway<VonageSettings, VonageSecrets> = {
  name: 'Vonage',
  send({ to, text, lifeMs, callbackUrl, deliveryId }, { apiKey, from }, { apiSecret }) {
    return {
      method: 'POST',
      url: 'https://rest.nexmo.com/sms/json',
      headers: formHeaders,
      body: form({
        api_key: apiKey,
        api_secret: apiSecret,
        from,
        to: to.slice(1),
        text,
        type: isGsm(text) ? 'text' : 'unicode',
        ttl: String(Math.min(Math.max(Math.round(lifeMs), ttlMin), ttlMax)),
        'client-ref': deliveryId,
        'status-report-req': callbackUrl && '1',
        callback: callbackUrl,
      }),
    }
  },
  outcome: outcomeOf,
  probe({ apiKey }, { apiSecret }) {
    const query = form({ api_key: apiKey, api_secret: apiSecret })
    return { method: 'GET', url: `https://rest.nexmo.com/account/get-balance?${query}` }
  },
  probeFault: ({ status }) => (status === 200 ? null : `answered ${status}`),
  callbacks: {
    isGenuine(callback, { signatureMethod }, { signatureSecret }) {
      if (signatureSecret === undefined) return false
      const fields = fieldsOf(callback)
      const right = hmac(signatureMethod, signatureSecret, signedText(fields))
      const isSigned = isSignature(fields.get('sig')?.toLowerCase() ?? null, 'hex', right)
      return isSigned && isRecent(fields.get('timestamp') ?? null, callback.now)
    },
    read,
  },
}

/** Milliseconds that Vonage keeps trying. */
const ttlMin = 20_000
const ttlMax = 604_800_000

/** GSM 03.38's basic table; a text with another character costs a message of 70 characters. */
function isGsm(text: string): boolean {
  return /^[A-Za-z0-9 \n\r@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!"#¤%&'()*+,\-./:;<=>?¡ÄÖÑÜ§¿äöñüà^{}\\[~\]|€]*$/.test(
    text,
  )
}

const causes = causesOf({
  busy: '1 5 10',
  login: '4 8 11 14',
  policy: '9 29',
  recipient: '6 7 33',
  message: '2 3 12',
  server: '15',
})

/** One entry for each part of the text; each part is taken or not. */
function outcomeOf(answer: HttpAnswer, message: Message): DeliveryOutcome {
  const { retryAfterMs } = answer
  if (answer.status !== 200) return byStatus('Vonage', answer)
  const parts = listOf(jsonOf(answer.body)['messages'])
  const [first] = parts
  if (!first) {
    return busy('200', 'Vonage gave an answer of another kind', { retryAfterMs, ambiguous: true })
  }
  const wrong = parts.find(({ status }) => textOf(status) !== '0')
  if (!wrong) return taken('0', first['message-id'])
  const code = textOf(wrong['status'])
  const detail = `Vonage: ${sayings(wrong['error-text'], message)}`
  const isPartly = parts.some(({ status }) => textOf(status) === '0')
  const cause = causes.get(code) ?? 'server'
  if (isPartly || cause === 'busy') return busy(code, detail, { retryAfterMs, ambiguous: isPartly })
  return refused(cause, code, detail)
}

/** The fields of a receipt, which is a form or a JSON object of texts. */
function fieldsOf({ body, headers }: Posted): Map<string, string> {
  const isJson = headers.get('content-type')?.toLowerCase().startsWith('application/json')
  const entries = isJson
    ? Object.entries(jsonOf(body)).map(([name, value]) => [name, textOf(value)] as const)
    : [...new URLSearchParams(body)]
  return new Map(entries)
}

/** `&name=value` of every other field by name, with `&` and `=` in values replaced. */
function signedText(fields: Map<string, string>): string {
  const names = [...fields.keys()].filter((name) => name !== 'sig').sort()
  return names.map((name) => `&${name}=${fields.get(name)?.replace(/[&=]/g, '_')}`).join('')
}

/** The codes of a receipt: 3, 4, 9, 33: the number; 6, 10, 14: a filter. */
const failures = causesOf({ recipient: '3 4 9 33', policy: '6 10 14' })

function read(callback: Posted): Report[] {
  const fields = fieldsOf(callback)
  const deliveryId = fields.get('client-ref')
  const state = fields.get('status') ?? ''
  if (!deliveryId) return []
  if (state === 'delivered') {
    return [{ deliveryId, status: 'delivered', cause: null, code: null, detail: null }]
  }
  if (!['expired', 'failed', 'rejected', 'undeliverable'].includes(state)) return []
  const code = /^\d{1,4}$/.exec(fields.get('err-code') ?? '')?.[0] ?? null
  const cause = failures.get(code ?? '') ?? null
  return [{ deliveryId, status: 'failed', cause, code, detail: `Vonage: ${state}` }]
}
