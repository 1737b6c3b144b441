import { type App, mailServersOf } from '../domain/app/app.ts'
import { type DeliveryOutcome, deferredBy, type Handover } from '../domain/delivery/delivery.ts'
import { handover } from '../domain/delivery/handover.ts'
import { lifeLeft } from '../domain/delivery/life.ts'
import type { SealPlace } from '../domain/keyring.ts'
import type { Channel, Ports } from '../domain/ports.ts'
import type { InboxRow } from '../domain/stores.ts'
import { isActive } from '../domain/telegram/bindings.ts'
import type { Variables } from '../domain/template/variables.ts'
import { recipientOf } from '../domain/verification/recipient.ts'
import { type Status, statusOf, type Verification } from '../domain/verification/verification.ts'
import { linksOf } from '../messages/links.ts'
import { renderMessage } from '../messages/render.ts'
import { createComposer } from './email/compose.ts'
import { createWordingReader, type Picture, type WordingReader } from './wording.ts'

/** A message of a test key, as a person would have received it. */
export type InboxMessage = {
  deliveryId: string
  appId: string
  appName: string | null
  verificationId: string
  to: string
  /** The language of the message, as a BCP 47 tag. */
  language: string
  subject: string
  text: string
  html: string
  code: string
  reference: string
  /** The status of the verification. */
  status: Status
  /** When it was delivered, epoch ms. */
  at: number
  expiresAt: number
}

/** How many messages are kept, the newest of all apps. */
export const inboxMax = 200

/** Keeps the messages of test keys in the store, without the code; nothing leaves the machine. */
export function createInboxChannel(
  ports: Pick<Ports, 'inbox' | 'bindings' | 'keyring' | 'clock'>,
): Channel {
  const { inbox, keyring, clock } = ports
  return {
    async deliver({ deliveryId, app, verificationId, recipient, variables }) {
      const { id: appId } = app
      const key = { appId, mode: 'test', id: recipient.address } as const
      if (recipient.kind === 'telegram' && !(await isActive(ports, key))) return noRecipient
      const seal = (column: Column, text: string) =>
        keyring.seal(appId, app.dataKey, inboxPlace(deliveryId, column), text)
      const recipientSealed = seal('recipient_sealed', recipient.address)
      const variablesSealed = variables && seal('variables_sealed', JSON.stringify(variables))
      const sealed = { recipientSealed, variablesSealed }
      const row = { deliveryId, appId, verificationId, ...sealed, at: clock.now() }
      try {
        await inbox.add({ row, keep: inboxMax })
      } catch {
        return deferredBy('busy', 'the database cannot take writes now')
      }
      const detail = 'kept in the inbox of this server'
      return { status: 'sent', code: null, detail, remoteId: null }
    },
    close: () => {},
  }
}

type ListPorts = Pick<
  Ports,
  'inbox' | 'apps' | 'templates' | 'verifications' | 'keyring' | 'clock'
> & {
  /** What links begin with; none are shown if absent. */
  linkBase?: string | null
}

const noRecipient: DeliveryOutcome = {
  ...{ status: 'refused', cause: 'recipient', code: null },
  detail: 'the app has no such active Telegram recipient',
}

/** The messages of one app or of all, newest first, each rendered again as it was sent. */
export async function listInbox(
  ports: ListPorts,
  query: { appId: string | null; limit: number },
): Promise<InboxMessage[]> {
  const rows = await ports.inbox.list(query)
  const reader = createWordingReader(ports)
  const messages = await Promise.all(rows.map((row) => readMessage({ ...ports, reader }, row)))
  return messages.filter((message) => message !== null)
}

/**
 * One message as the app's first mail server would get it, unsigned; null for an unknown one and for one
 * that is no mail.
 */
export async function readInboxSource(
  ports: ListPorts,
  deliveryId: string,
): Promise<string | null> {
  const rows = await ports.inbox.list({ appId: null, limit: inboxMax })
  const row = rows.find((row) => row.deliveryId === deliveryId)
  if (!row) return null
  const read = await readRow(ports, row)
  if (read?.message.recipient.kind !== 'email') return null
  const { app, message } = read
  const wording = await createWordingReader(ports).read(message)
  const [server] = mailServersOf(app)
  const sender = server?.settings ?? { from: 'codes@localhost', fromName: null }
  const links = linksOf(message, ports.linkBase ?? null)
  const mail = { ...message, app, recipient: message.recipient.address, wording, links }
  return createComposer().compose(mail, sender, lifeLeft(message.expiresAt, row.at))
}

type ReadRow = { app: App; verification: Verification; message: Handover }

/** Null when the verification or its code key was deleted. */
async function readRow(ports: ListPorts, row: InboxRow): Promise<ReadRow | null> {
  const [app, verification] = await Promise.all([
    ports.apps.get(row.appId),
    ports.verifications.get({ appId: row.appId, mode: 'test', id: row.verificationId }),
  ])
  if (!app || !verification) return null
  const message = readHandover(ports, { app, verification, row })
  return message && { app, verification, message }
}

async function readMessage(
  ports: ListPorts & { reader: WordingReader },
  row: InboxRow,
): Promise<InboxMessage | null> {
  const { deliveryId, appId, verificationId, at } = row
  const read = await readRow(ports, row)
  if (!read) return null
  const { app, verification, message } = read
  const { code, reference, expiresAt } = message
  const life = lifeLeft(expiresAt, at)
  const { template, brand, logo } = await ports.reader.read(message)
  const links = linksOf(message, ports.linkBase ?? null)
  const source = { ...message, app: { ...message.app, brand }, life, template, links }
  const { html: made, ...shown } = renderMessage(source)
  const { language, subject, text } = shown
  const html = logo ? made.replaceAll('cid:logo', dataUrl(logo.content)) : made
  const status = statusOf(verification, ports.clock.now())
  const to = message.recipient.address
  const names = { deliveryId, appId, appName: app.name, verificationId, to }
  return { ...names, language, subject, text, html, code, reference, status, at, expiresAt }
}

function readHandover(
  ports: ListPorts,
  { app, verification, row }: { app: App; verification: Verification; row: InboxRow },
): Handover | null {
  const { deliveryId: id, recipientSealed, variablesSealed, at: createdAt } = row
  const open = (column: Column, sealed: Uint8Array) =>
    ports.keyring.open(app.id, app.dataKey, inboxPlace(id, column), sealed)
  try {
    const address = open('recipient_sealed', recipientSealed)
    const given = variablesSealed && open('variables_sealed', variablesSealed)
    const recipient = recipientOf(address)
    const delivery = { id, channel: 'inbox', endpointId: null, createdAt } as const
    const variables: Variables | null = given && JSON.parse(given)
    return handover(ports, { app, verification, delivery, recipient, variables })
  } catch {
    return null
  }
}

function dataUrl({ type, base64 }: Picture): string {
  return `data:${type};base64,${base64}`
}

type Column = 'recipient_sealed' | 'variables_sealed'

/** The place that a sealed column of an inbox message is bound to. */
function inboxPlace(deliveryId: string, column: Column): SealPlace {
  return { table: 'inbox', row: deliveryId, column }
}
