import MailComposer from 'nodemailer/lib/mail-composer'
import type { EmailChannel } from '../domain/app.ts'
import type { Handover } from '../domain/delivery.ts'
import { type Message, renderMessage, validUntil } from '../domain/message.ts'

export type Composer = { compose(handover: Handover, email: EmailChannel): Promise<string> }

/** What differs between two messages of one app; all of it is printable ASCII. */
type Values = Record<
  'to' | 'date' | 'messageId' | 'entityRef' | 'code' | 'reference' | 'validUntil',
  string
>
type Template = { parts: string[]; names: (keyof Values)[] }

const templatesMax = 200
const failuresMax = 5

/**
 * Composes RFC 5322 messages. Composing is what costs most of a mail, so it is done once for all
 * the messages of an app that differ in `Values` only; these are then filled in. A template is
 * kept only if filling it with other values gives, byte for byte, what composing those gives.
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
    async compose(handover, email) {
      const values = valuesOf(handover, email)
      const key = keyOf(handover, email, values)
      const known = isPlain(values.to) ? templates.get(key) : failuresMax
      if (typeof known === 'object') return fill(known, values)

      const boundary = sha256(key)
      const raw = await composeOne(handover, email, values, boundary)
      const failures = known ?? 0
      if (failures < failuresMax) {
        keep(key, (await templateOf(raw, handover, email, boundary)) ?? failures + 1)
      }
      return raw
    },
  }
}

function keyOf({ app, codeFormat }: Handover, email: EmailChannel, values: Values): string {
  const { code, validUntil } = values
  return [app.id, app.updatedAt, email.updatedAt, codeFormat, code.length, validUntil.length].join()
}

/** Addresses that stand in a To header as they are, on one line. */
function isPlain(address: string): boolean {
  return address.length <= 60 && /^[A-Za-z0-9._+-]+@[a-z0-9.-]+$/.test(address)
}

function valuesOf(handover: Handover, email: EmailChannel): Values {
  // The id itself stays inside; a retry after an ambiguous end carries the same Message-ID.
  const hash = sha256(handover.deliveryId)
  return {
    to: handover.recipient,
    date: new Date(handover.createdAt).toUTCString().replace('GMT', '+0000'),
    messageId: `${hash.slice(0, 32)}@${email.from.slice(email.from.lastIndexOf('@') + 1)}`,
    entityRef: hash.slice(32),
    code: handover.code,
    reference: handover.reference,
    validUntil: validUntil(handover),
  }
}

function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}

async function composeOne(
  handover: Handover,
  email: EmailChannel,
  values: Values,
  boundary: string,
): Promise<string> {
  const message = renderMessage(handover)
  try {
    return await build(message, email, values, boundary)
  } catch (error) {
    // An origin that OTP-Token cannot carry: the header is a courtesy, the mail is not.
    if ((error as { code?: unknown }).code !== 'EOTP') throw error
    return build({ ...message, otpToken: null }, email, values, boundary)
  }
}

async function build(
  { subject, text, html, otpToken }: Message,
  email: EmailChannel,
  values: Values,
  boundary: string,
): Promise<string> {
  const composer = new MailComposer({
    from: { name: literal(email.fromName ?? ''), address: email.from },
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
    // Base64 would hide the places to fill in.
    textEncoding: 'quoted-printable',
    baseBoundary: boundary.slice(0, 32),
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const raw = await composer.compile().build()
  return raw.toString('latin1').replace(/\r?\n/g, '\r\n')
}

/** A name that reads `=?utf-8?q?=0A?=` must not be decoded by who gets the mail (RFC 2047). */
function literal(text: string): string {
  return text.replaceAll('=?', '= ?')
}

/** Cuts a message where its values stand; null unless the pieces prove to be a template. */
async function templateOf(
  raw: string,
  handover: Handover,
  email: EmailChannel,
  boundary: string,
): Promise<Template | null> {
  const template = cut(raw, valuesOf(handover, email))
  const other = otherThan(handover)
  const otherValues = valuesOf(other, email)
  const composed = await composeOne(other, email, otherValues, boundary)
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

/** A hand-over of the same shape that differs in everything that may differ. */
function otherThan(handover: Handover): Handover {
  const laterMs = 1_000_000_007
  return {
    ...handover,
    deliveryId: `other than ${handover.deliveryId}`,
    recipient: 'somebody.else@elsewhere.example',
    code: handover.code.replace(/./g, nextDigit),
    reference: handover.reference.replace(/./g, nextDigit),
    createdAt: handover.createdAt + laterMs,
    expiresAt: handover.expiresAt + laterMs,
  }
}

function nextDigit(digit: string): string {
  if (digit === '9') return '0'
  return digit === 'Z' ? 'A' : String.fromCharCode(digit.charCodeAt(0) + 1)
}
