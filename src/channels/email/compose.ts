import MailComposer from 'nodemailer/lib/mail-composer'
import type { SmtpSettings } from '../../domain/app/smtp-fields.ts'
import type { Life } from '../../domain/delivery/life.ts'
import { traceOf } from '../../domain/delivery/trace.ts'
import { type Message, pluralOf, renderMessage, wordsFor } from '../../messages/render.ts'
import type { Picture, Wording } from '../wording.ts'
import { encodeSubject, textPart } from './encode.ts'
import type { Mail } from './mail-job.ts'
import { createTemplates, cut, fill, type Template } from './templates.ts'

/** The sender of a mail. */
export type Sender = Pick<SmtpSettings, 'from' | 'fromName'>

export type Composer = {
  /** `life` is what is left of the code's life. */
  compose(mail: Mail, sender: Sender, life: Life): Promise<string>
  /** How many messages were filled in, and how many were composed by themselves. */
  counts(): { filled: number; composed: number }
}

/** A mail, and the life that its text names. */
type Dated = Mail & { life: Life }

/** What differs between two messages of one app and language; all of it is printable ASCII. */
type Values = Record<
  | ('to' | 'date' | 'messageId' | 'entityRef' | 'code' | 'reference' | 'life')
  | ('verification' | 'report'),
  string
>

const failuresMax = 5

/**
 * Composes RFC 5322 messages. Composing is the largest cost of a mail, so it is done once for all
 * messages of an app and language that differ in `Values` only; these are then inserted. A template
 * is kept only if inserting the values of a message gives, byte for byte, what composing gives.
 */
export function createComposer(): Composer {
  const templates = createTemplates<keyof Values>()
  const counts = { filled: 0, composed: 0 }
  return {
    async compose(mail, sender, life) {
      const dated = { ...mail, life }
      const values = valuesOf(dated, sender)
      const key = keyOf(dated, sender)
      const isUsual = isPlain(values.to) && mail.variables === null
      const known = isUsual ? templates.get(key) : failuresMax
      if (typeof known === 'object') {
        counts.filled++
        return fill(known, values)
      }

      counts.composed++
      const boundary = sha256(key)
      const raw = await composeOne(dated, sender, values, boundary)
      const failures = known ?? 0
      if (failures < failuresMax) {
        templates.keep(key, (await templateOf(raw, dated, sender, boundary)) ?? failures + 1)
      }
      return raw
    },
    counts: () => counts,
  }
}

/** Everything that a template depends on, such as the app's version. */
function keyOf(mail: Dated, { from, fromName }: Sender): string {
  const { app, codeFormat, code, life, wording } = mail
  const words = wordsFor({ ...mail, template: wording.template })
  const plural = life.count === 0 ? 'none' : pluralOf(words, life.count)
  const shape = [codeFormat, code.length, life.unit, plural, life.digits.length]
  const made = [words, wording.template?.key, wording.logo?.key, mail.links?.base]
  return JSON.stringify([app.id, app.version, from, fromName, ...made, ...shape])
}

/** True for an address that needs no quoting or folding in a To header. */
function isPlain(address: string): boolean {
  return address.length <= 60 && /^[A-Za-z0-9._+-]+@[a-z0-9.-]+$/.test(address)
}

function valuesOf(mail: Dated, sender: Sender): Values {
  // Every try has the same Message-ID. It does not reveal the delivery's id, and neither may this.
  const entityRef = sha256(mail.deliveryId).slice(32)
  return {
    to: mail.recipient,
    date: new Date(mail.createdAt).toUTCString().replace('GMT', '+0000'),
    messageId: `${traceOf(mail.deliveryId)}@${sender.from.slice(sender.from.lastIndexOf('@') + 1)}`,
    entityRef,
    code: mail.code,
    reference: mail.reference,
    life: mail.life.digits,
    verification: mail.links?.id ?? nothing,
    report: mail.links?.report ?? nothing,
  }
}

/** In the place of a value that a message does not have. */
const nothing = '\0'

function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}

async function composeOne(
  mail: Dated,
  sender: Sender,
  values: Values,
  boundary: string,
): Promise<string> {
  const { template, brand, logo } = mail.wording
  const message = renderMessage({ ...mail, app: { ...mail.app, brand }, template })
  const named = { ...sender, fromName: sender.fromName ?? mail.app.name }
  try {
    return await build({ message, template, logo }, named, values, boundary)
  } catch (error) {
    // Without the optional header where OTP-Token cannot express the origin.
    if ((error as { code?: unknown }).code !== 'EOTP') throw error
    const bare = { ...message, otpToken: null }
    return build({ message: bare, template, logo }, named, values, boundary)
  }
}

type Rendered = Pick<Wording, 'template' | 'logo'> & { message: Message }

/** The logo's Content-ID. */
const logoId = 'logo@otpmint'

async function build(
  { message, template, logo }: Rendered,
  sender: Sender,
  values: Values,
  boundary: string,
): Promise<string> {
  const { language, text, otpToken } = message
  const subject = literal(message.subject)
  const html = message.html.replaceAll('cid:logo', `cid:${logoId}`)
  const picture = logo !== null && html !== message.html ? logo.content : null
  const { code, reference, life, verification, report } = values
  const whole = [code, reference, life, verification, report]
  const composer = new MailComposer({
    from: { name: literal(sender.fromName ?? ''), address: sender.from },
    to: { name: '', address: values.to },
    ...(template ? {} : { subject }),
    text: { raw: textPart('text/plain', text, whole) },
    html: { raw: textPart('text/html', html, whole) },
    date: values.date,
    messageId: `<${values.messageId}>`,
    headers: {
      'Content-Language': language,
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'OOF, AutoReply, DR, RN, NRN',
      'X-Entity-Ref-ID': values.entityRef,
      // nodemailer would hide the code in the subjects of some languages.
      ...(template && { Subject: { prepared: true, value: encodeSubject(subject, whole) } }),
    },
    ...(picture && { attachments: [attached(picture)] }),
    ...(otpToken ? { otp: otpToken } : {}),
    // Base64 would hide the code in the subject.
    textEncoding: 'quoted-printable',
    baseBoundary: boundary.slice(0, 32),
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const raw = await composer.compile().build()
  return raw.toString('latin1').replace(/\r?\n/g, '\r\n')
}

function attached({ type, base64 }: Picture) {
  const filename = type === 'image/png' ? 'logo.png' : 'logo.jpg'
  const content = { content: base64, encoding: 'base64', contentType: type }
  return { cid: logoId, filename, contentDisposition: 'inline' as const, ...content }
}

/** Encodes a name like `=?utf-8?q?=0A?=`, so that mail programs do not decode it (RFC 2047). */
function literal(text: string): string {
  return text.replaceAll('=?', '= ?')
}

/**
 * Cuts another message at its values; null unless the first can be made from the pieces. The other
 * one is used because a number of minutes such as 9 is in many places of a message.
 */
async function templateOf(
  raw: string,
  mail: Dated,
  sender: Sender,
  boundary: string,
): Promise<Template<keyof Values> | null> {
  const digit = [...'~^|`$'].find((character) => !raw.includes(character))
  if (digit === undefined) return null
  const other = otherThan(mail, digit)
  const otherValues = valuesOf(other, sender)
  const template = cut(await composeOne(other, sender, otherValues, boundary), otherValues)
  return fill(template, valuesOf(mail, sender)) === raw ? template : null
}

/**
 * A mail that differs in every value that could be elsewhere in it by chance, but in no length, format or
 * plural; the secrets of links cannot.
 */
function otherThan(mail: Dated, digit: string): Dated {
  const laterMs = 1_000_000_007
  const { life } = mail
  return {
    ...mail,
    deliveryId: `otherone${mail.deliveryId}`,
    recipient: 'somebody.else@elsewhere.example',
    code: mail.code.replace(/./g, nextDigit),
    reference: mail.reference.replace(/./g, nextDigit),
    createdAt: mail.createdAt + laterMs,
    life: { ...life, digits: digit.repeat(life.digits.length) },
  }
}

function nextDigit(digit: string): string {
  if (digit === '9') return '0'
  return digit === 'Z' ? 'A' : String.fromCharCode(digit.charCodeAt(0) + 1)
}
