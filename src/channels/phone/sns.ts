import type { SnsSecrets, SnsSettings } from '../../domain/app/gateway-fields.ts'
import type { HttpAnswer, HttpRequest } from '../../domain/http-out.ts'
import { awsHeaders } from './aws.ts'
import { byCause, causesOf, form, type Gateway, taken } from './gateway.ts'

/**
 * Amazon SNS. It reports nothing about a text message but to CloudWatch, so `sent` is the last that
 * is known.
 */
export const sns: Gateway<SnsSettings, SnsSecrets> = {
  name: 'Amazon SNS',
  send({ to, text, now }, settings, secrets) {
    const { senderId } = settings
    const attributes = [
      ['AWS.SNS.SMS.SMSType', 'Transactional'],
      ...(senderId === null ? [] : [['AWS.SNS.SMS.SenderID', senderId]]),
    ].flatMap(([name = '', value = ''], index) => {
      const entry = `MessageAttributes.entry.${index + 1}`
      return [
        [`${entry}.Name`, name],
        [`${entry}.Value.DataType`, 'String'],
        [`${entry}.Value.StringValue`, value],
      ]
    })
    const fields = { PhoneNumber: to, Message: text, ...Object.fromEntries(attributes) }
    return call('Publish', fields, { settings, secrets, now })
  },
  outcome(answer, message) {
    if (answer.status === 200) return taken('200', element(answer, 'MessageId'))
    const code = element(answer, 'Code') ?? ''
    const words = element(answer, 'Message')
    const coded = { cause: causeOf(code, words ?? ''), code, words }
    return byCause('Amazon SNS', answer, coded, message)
  },
  probe: (settings, secrets, now) => call('GetSMSAttributes', {}, { settings, secrets, now }),
  probeFault(answer) {
    if (answer.status === 200) return null
    return `answered ${answer.status} ${element(answer, 'Code') ?? ''}`.trim()
  },
  callbacks: null,
}

type Calling = { settings: SnsSettings; secrets: SnsSecrets; now: number }

function call(
  action: string,
  fields: Record<string, string>,
  { settings: { region, accessKeyId }, secrets: { secretAccessKey }, now }: Calling,
): HttpRequest {
  const host = `sns.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
  const body = form({ Action: action, Version: '2010-03-31', ...fields })
  const signing = { host, region, service: 'sns', body, now }
  const headers = awsHeaders({ accessKeyId, secretAccessKey }, signing)
  return { method: 'POST', url: `https://${host}/`, headers, body }
}

/** The text of the first element of this name, in XML or in JSON. */
function element({ body }: HttpAnswer, name: string): string | null {
  const pattern = new RegExp(`<${name}>([^<]{1,400})</${name}>|"${name}":"([^"]{1,400})"`)
  const [, xml, json] = pattern.exec(body) ?? []
  return xml ?? json ?? null
}

const causes = causesOf({
  login:
    'AuthorizationError AccessDenied AccessDeniedException InvalidClientTokenId ' +
    'SignatureDoesNotMatch UnrecognizedClientException MissingAuthenticationToken ' +
    'IncompleteSignature ExpiredToken RequestExpired NotAuthorized OptInRequired',
  busy:
    'Throttled ThrottledException Throttling ThrottlingException RequestLimitExceeded ' +
    'ServiceUnavailable KMSThrottling',
  recipient: 'OptedOut OptedOutException',
})

/** A parameter is wrong: the number if it is named, else the settings. */
function causeOf(code: string, words: string) {
  if (!/^InvalidParameter(Value)?(Exception)?$/.test(code)) return causes.get(code)
  return /phone ?number/i.test(words) ? ('recipient' as const) : ('server' as const)
}
