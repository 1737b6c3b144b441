import type { WhatsappSecrets, WhatsappSettings } from '../../domain/app/gateway-fields.ts'
import type { Report } from '../../domain/delivery/report.ts'
import {
  byCause,
  causesOf,
  type Gateway,
  jsonOf,
  listOf,
  objectOf,
  type Posted,
  taken,
  textOf,
} from './gateway.ts'
import { hmac, isSameText, isSignature } from './signature.ts'

/** WhatsApp Business Platform (Cloud API): an authentication template with a button for the code. */
export const whatsapp: Gateway<WhatsappSettings, WhatsappSecrets> = {
  name: 'WhatsApp',
  send({ to, code, deliveryId }, settings, { accessToken }) {
    if (code.length > codeMax) return 'unsupported'
    const parameters = [{ type: 'text', text: code }]
    return {
      method: 'POST',
      url: `${phoneUrl(settings)}/messages`,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
      body: JSON.stringify({
        messaging_product: 'whatsapp',
        recipient_type: 'individual',
        to: to.slice(1),
        type: 'template',
        template: {
          name: settings.template,
          language: { code: settings.templateLanguage },
          // The code once as text, and once for the button that copies it.
          components: [
            { type: 'body', parameters },
            { type: 'button', sub_type: 'url', index: '0', parameters },
          ],
        },
        biz_opaque_callback_data: deliveryId,
      }),
    }
  },
  outcome(answer, message) {
    const { messages, error } = jsonOf(answer.body)
    const [first] = listOf(messages)
    if (answer.status === 200 && first) return taken('200', first['id'])
    const { code, message: words } = objectOf(error)
    const coded = { cause: causeOf(textOf(code)), code: textOf(code), words }
    return byCause('WhatsApp', answer, coded, message)
  },
  probe: (settings, { accessToken }) => ({
    method: 'GET',
    url: `${phoneUrl(settings)}?fields=verified_name`,
    headers: { authorization: `Bearer ${accessToken}` },
  }),
  probeFault({ status, body }) {
    if (status === 200) return null
    const { code } = objectOf(jsonOf(body)['error'])
    return `answered ${status} ${textOf(code)}`.trim()
  },
  callbacks: {
    isGenuine({ headers, body }, _, { appSecret }) {
      if (appSecret === undefined) return false
      const given = /^sha256=([0-9a-f]{64})$/.exec(headers.get('x-hub-signature-256') ?? '')
      return isSignature(given?.[1] ?? null, 'hex', hmac('sha256', appSecret, body))
    },
    read,
    challenge(query, { verifyToken }) {
      const challenge = query.get('hub.challenge') ?? ''
      if (query.get('hub.mode') !== 'subscribe' || verifyToken === undefined) return null
      if (!isSameText(query.get('hub.verify_token') ?? '', verifyToken)) return null
      return /^[\w-]{1,128}$/.test(challenge) ? challenge : null
    },
  },
}

/** The longest code of an authentication template. */
const codeMax = 15

function phoneUrl({ graphVersion, phoneNumberId }: WhatsappSettings): string {
  return `https://graph.facebook.com/${graphVersion}/${phoneNumberId}`
}

/**
 * 131026 and 130472: this person gets nothing over WhatsApp, which says nothing about the number.
 * 132xxx: the template is wrong for what was sent.
 */
const causes = causesOf({
  login: '0 10 190 131005',
  busy: '1 2 4 613 80007 130429 131000 131016 131049 131056 131057 133016',
  unsupported: '131026 130472 131050 131051',
  recipient: '131021',
  policy: '368 130497 131030 131031 131037 131042 131045 131048',
  server: '3 33 100 133010',
  message: '131008 131009 132000 132001 132005 132007 132012 132015 132016 132068 132069',
})

/** 200 to 299: a permission is missing. */
function causeOf(code: string) {
  return causes.get(code) ?? (/^2\d\d$/.test(code) ? ('login' as const) : undefined)
}

function read({ body }: Posted, { phoneNumberId }: WhatsappSettings): Report[] {
  const changes = listOf(jsonOf(body)['entry']).flatMap(({ changes }) => listOf(changes))
  return changes.flatMap(({ value }) => {
    const { metadata, statuses } = objectOf(value)
    if (textOf(objectOf(metadata)['phone_number_id']) !== phoneNumberId) return []
    return listOf(statuses).flatMap(reportOf)
  })
}

function reportOf(status: Record<string, unknown>): Report[] {
  const deliveryId = textOf(status['biz_opaque_callback_data'])
  if (deliveryId === '') return []
  if (status['status'] === 'delivered' || status['status'] === 'read') {
    return [{ deliveryId, status: 'delivered', cause: null, code: null, detail: null }]
  }
  if (status['status'] !== 'failed') return []
  const [error = {}] = listOf(status['errors'])
  const code = /^\d{1,7}$/.exec(textOf(error['code']))?.[0] ?? null
  const cause = causeOf(code ?? '') ?? null
  const detail = 'WhatsApp: failed'
  return [{ deliveryId, status: 'failed', cause: cause === 'busy' ? null : cause, code, detail }]
}
