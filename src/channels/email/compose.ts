import MailComposer from 'nodemailer/lib/mail-composer'
import type { SmtpSettings } from '../../domain/app/smtp-fields.ts'
import { traceOf } from '../../domain/delivery/trace.ts'
import { type Message, renderMessage, validUntil } from '../../messages/render.ts'
import type { Mail } from './mail-job.ts'

/** The sender of a mail. */
export type Sender = Pick<SmtpSettings, 'from' | 'fromName'>

type Composer = { compose(mail: Mail, sender: Sender): Promise<string> }

/** What differs between two messages of one app; all of it is printable ASCII. */
type Values = Record<
  'to' | 'date' | 'messageId' | 'entityRef' | 'code' | 'reference' | 'validUntil',
  string
>
type Template = { parts: string[]; names: (keyof Values)[] }

const templatesMax = 200
const failuresMax = 5

/**
 * Composes RFC 5322 messages. Composing is the largest cost of a mail, so it is done once for all
 * messages of an app that differ in `Values` only; these are then inserted. A template is kept only
 * if inserting other values gives, byte for byte, the message that composing gives.
 */
export function createComposer(): Composer {
  const templates = new Map<string, Template | number>()

  const keep = (key: string, template: Template | number) => {
    templates.delete(key)
    templates.set(key, template)
    const [oldest] = templates.keys()
    if (templates.size > templatesMax && oldest !== undefined) templates.delete(oldest)
  }
  return {
    async compose(mail, sender) {
      const values = valuesOf(mail, sender)
      const key = keyOf(mail, sender, values)
      const known = isPlain(values.to) ? templates.get(key) : failuresMax
      if (typeof known === 'object') {
        keep(key, known)
        return fill(known, values)
      }

      const boundary = sha256(key)
      const raw = await composeOne(mail, sender, values, boundary)
      const failures = known ?? 0
      if (failures < failuresMax) {
        keep(key, (await templateOf(raw, mail, sender, boundary)) ?? failures + 1)
      }
      return raw
    },
  }
}

/** Everything that a template depends on, such as the app's version. */
function keyOf({ app, codeFormat }: Mail, { from, fromName }: Sender, values: Values): string {
  const { code, validUntil } = values
  const shape = [codeFormat, code.length, validUntil.length]
  return JSON.stringify([app.id, app.version, from, fromName, ...shape])
}

/** True for an address that needs no quoting or folding in a To header. */
function isPlain(address: string): boolean {
  return address.length <= 60 && /^[A-Za-z0-9._+-]+@[a-z0-9.-]+$/.test(address)
}

function valuesOf(mail: Mail, sender: Sender): Values {
  // Every try has the same Message-ID. It does not reveal the delivery's id, and neither may this.
  const entityRef = sha256(mail.deliveryId).slice(32)
  return {
    to: mail.recipient,
    date: new Date(mail.createdAt).toUTCString().replace('GMT', '+0000'),
    messageId: `${traceOf(mail.deliveryId)}@${sender.from.slice(sender.from.lastIndexOf('@') + 1)}`,
    entityRef,
    code: mail.code,
    reference: mail.reference,
    validUntil: validUntil(mail),
  }
}

function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}

async function composeOne(
  mail: Mail,
  sender: Sender,
  values: Values,
  boundary: string,
): Promise<string> {
  const message = renderMessage(mail)
  try {
    return await build(message, sender, values, boundary)
  } catch (error) {
    // Without the optional header where OTP-Token cannot express the origin.
    if ((error as { code?: unknown }).code !== 'EOTP') throw error
    return build({ ...message, otpToken: null }, sender, values, boundary)
  }
}

async function build(
  { subject, text, html, otpToken }: Message,
  sender: Sender,
  values: Values,
  boundary: string,
): Promise<string> {
  const composer = new MailComposer({
    from: { name: literal(sender.fromName ?? ''), address: sender.from },
    to: { name: '', address: values.to },
    subject: literal(subject),
    text,
    html,
    date: values.date,
    messageId: `<${values.messageId}>`,
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'OOF, AutoReply, DR, RN, NRN',
      'X-Entity-Ref-ID': values.entityRef,
    },
    ...(otpToken ? { otp: otpToken } : {}),
    // Base64 would hide the places of the values.
    textEncoding: 'quoted-printable',
    baseBoundary: boundary.slice(0, 32),
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const raw = await composer.compile().build()
  return raw.toString('latin1').replace(/\r?\n/g, '\r\n')
}

/** Encodes a name like `=?utf-8?q?=0A?=`, so that mail programs do not decode it (RFC 2047). */
function literal(text: string): string {
  return text.replaceAll('=?', '= ?')
}

/** Cuts a message at its values; null unless another message can be made from the pieces. */
async function templateOf(
  raw: string,
  mail: Mail,
  sender: Sender,
  boundary: string,
): Promise<Template | null> {
  const template = cut(raw, valuesOf(mail, sender))
  const other = otherThan(mail)
  const otherValues = valuesOf(other, sender)
  const composed = await composeOne(other, sender, otherValues, boundary)
  return fill(template, otherValues) === composed ? template : null
}

function cut(raw: string, values: Values): Template {
  const byValue = new Map(Object.entries(values).map(([name, value]) => [value, name]))
  const longestFirst = [...byValue.keys()].sort((a, b) => b.length - a.length)
  const pattern = longestFirst.map((value) => value.replace(/[.+-]/g, '\\$&')).join('|')
  const pieces = raw.split(new RegExp(`(${pattern})`))
  return {
    parts: pieces.filter((_, index) => index % 2 === 0),
    names: pieces
      .filter((_, index) => index % 2 === 1)
      .map((value) => byValue.get(value) as keyof Values),
  }
}

function fill({ parts, names }: Template, values: Values): string {
  let raw = parts[0] ?? ''
  for (const [index, name] of names.entries()) raw += values[name] + (parts[index + 1] ?? '')
  return raw
}

/** A mail that differs in every value, but in no length or format. */
function otherThan(mail: Mail): Mail {
  const laterMs = 1_000_000_007
  return {
    ...mail,
    deliveryId: `otherone${mail.deliveryId}`,
    recipient: 'somebody.else@elsewhere.example',
    code: mail.code.replace(/./g, nextDigit),
    reference: mail.reference.replace(/./g, nextDigit),
    createdAt: mail.createdAt + laterMs,
    expiresAt: mail.expiresAt + laterMs,
  }
}

function nextDigit(digit: string): string {
  if (digit === '9') return '0'
  return digit === 'Z' ? 'A' : String.fromCharCode(digit.charCodeAt(0) + 1)
}
