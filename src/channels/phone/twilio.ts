import type { TwilioSecrets, TwilioSettings } from '../../domain/app/gateway-fields.ts'
import type { Report } from '../../domain/delivery/report.ts'
import {
  basic,
  byCause,
  causesOf,
  form,
  formHeaders,
  type Gateway,
  jsonOf,
  type Posted,
  taken,
  textOf,
} from './gateway.ts'
import { hmac, isSignature } from './signature.ts'

/** Twilio's Messages resource (2010-04-01). */
export const twilio: Gateway<TwilioSettings, TwilioSecrets> = {
  name: 'Twilio',
  send({ to, text, lifeMs, callbackUrl, deliveryId }, { accountSid, from }, { authToken }) {
    const sender = /^MG[0-9a-f]{32}$/i.test(from) ? 'MessagingServiceSid' : 'From'
    return {
      method: 'POST',
      url: `${account(accountSid)}/Messages.json`,
      headers: { ...formHeaders, authorization: basic(accountSid, authToken) },
      body: form({
        To: to,
        [sender]: from,
        Body: text,
        // Seconds that it may wait in Twilio's queue.
        ValidityPeriod: String(Math.min(Math.max(Math.ceil(lifeMs / 1000), 1), validityMax)),
        StatusCallback: callbackUrl && `${callbackUrl}?delivery=${deliveryId}`,
      }),
    }
  },
  outcome(answer, message) {
    const { code, sid, message: words } = jsonOf(answer.body)
    if (answer.status === 201) return taken('201', sid)
    const coded = { cause: causes.get(textOf(code)), code: textOf(code), words }
    return byCause('Twilio', answer, coded, message)
  },
  probe({ accountSid }, { authToken }) {
    const authorization = basic(accountSid, authToken)
    return { method: 'GET', url: `${account(accountSid)}.json`, headers: { authorization } }
  },
  probeFault({ status, body }) {
    if (status !== 200) return `answered ${status}`
    const { status: state } = jsonOf(body)
    return state === undefined || state === 'active' ? null : `says that the account is ${state}`
  },
  callbacks: {
    isGenuine: (callback, _, { authToken }) => isSigned(callback, authToken),
    read,
  },
}

const validityMax = 36_000

function account(sid: string): string {
  return `https://api.twilio.com/2010-04-01/Accounts/${sid}`
}

/**
 * Codes of refusals and of failures afterwards. 20429 and the like were not processed, so they are
 * safe to repeat. 21610: the person has opted out. 21612: this sender does not reach the number, which
 * says nothing about the number.
 */
const causes = causesOf({
  login: '20003 20005 20008 20404 20006',
  busy: '20429 14107 21611 63018',
  recipient: '21211 21214 21217 21265 21610 21614 21635 30003 30005 30006 30011',
  unsupported: '21612',
  policy: '21408 21608 30002 30004 30007 30034 30038 30450 30453 30485 63038',
  server: '21212 21601 21603 21606 21609 21659 21660 21661 21703 21705',
  message: '21602 21605 21617 30019',
})

/** Base64 of HMAC-SHA-1 of the URL and the sorted fields of the form, under the auth token. */
function isSigned({ url, headers, body }: Posted, authToken: string): boolean {
  const fields = new URLSearchParams(body)
  const names = [...new Set(fields.keys())].sort()
  const text = names.flatMap((name) => {
    return [...new Set(fields.getAll(name))].sort().map((value) => name + value)
  })
  const given = headers.get('x-twilio-signature')
  return spellings(url).some((spelling) => {
    return isSignature(given, 'base64', hmac('sha1', authToken, spelling + text.join('')))
  })
}

/** Twilio signs the URL with its port or without. */
function spellings(url: string): string[] {
  const parsed = URL.parse(url)
  if (!parsed) return []
  const { protocol, hostname, port, pathname, search } = parsed
  const behind = pathname + search
  const usual = protocol === 'https:' ? '443' : '80'
  return ['', `:${port || usual}`].map((place) => `${protocol}//${hostname}${place}${behind}`)
}

function read({ url, body }: Posted): Report[] {
  const deliveryId = URL.parse(url)?.searchParams.get('delivery')
  const fields = new URLSearchParams(body)
  const state = fields.get('MessageStatus') ?? ''
  if (!deliveryId) return []
  if (state === 'delivered' || state === 'read') {
    return [{ deliveryId, status: 'delivered', cause: null, code: null, detail: null }]
  }
  if (!['failed', 'undelivered', 'canceled'].includes(state)) return []
  const code = /^\d{4,6}$/.exec(fields.get('ErrorCode') ?? '')?.[0] ?? null
  const cause = causes.get(code ?? '') ?? null
  const detail = `Twilio: ${state}`
  return [{ deliveryId, status: 'failed', cause: cause === 'busy' ? null : cause, code, detail }]
}
