import PostalMime, { type Attachment } from 'postal-mime'
import type { BounceReport } from '../../domain/delivery/bounce.ts'
import { tracePattern } from '../../domain/delivery/trace.ts'
import { causeOfStatus } from './smtp-outcome.ts'
import { replyCode, wordsOf } from './smtp-words.ts'

/** Deeper parts and longer headers are refused; a message within a message is not parsed. */
const limits = { maxNestingDepth: 8, maxHeadersSize: 64 * 1024, maxRfc822NestingDepth: 0 }
/** A report has fewer lines and parts; many of them take seconds to parse. */
const linesMax = 10_000
const partsMax = 200
/** What is read of a part of the report. */
const partBytesMax = 32 * 1024
const groupsMax = 50
const tracesMax = 5

/**
 * Reads a delivery status notification (RFC 3464): what became of the first recipient that it says
 * something final about. Null for any other mail, and for a report of success.
 */
export async function readBounce(raw: Uint8Array): Promise<BounceReport | null> {
  if (isTooMuch(raw)) return null
  const mail = await PostalMime.parse(raw, limits).catch(() => null)
  if (mail === null) return null
  const status = partOf(mail.attachments, statusTypes)
  if (status === null) return null
  const [ofMessage = noFields, ...recipients] = groupsOf(status)
  const one = withAction(recipients, 'failed') ?? withAction(recipients, 'delayed')
  if (one === null) return null

  const [, reply = ''] = (one.fields.get('diagnostic-code') ?? '').split(/^\s*smtp\s*;/i)
  const words = reply.trim()
  const code = one.fields.get('status')?.match(/^[245]\.\d{1,3}\.\d{1,3}\b/)?.[0] ?? '5.0.0'
  const returned = partOf(mail.attachments, returnedTypes)
  const named = [
    ofMessage.get('original-envelope-id'),
    returned && groupsOf(returned)[0]?.get('message-id'),
    mail.inReplyTo,
    mail.references,
  ]
  const traces = named.flatMap((text) => text?.slice(0, 2_000).match(tracePattern) ?? [])
  return {
    traces: [...new Set(traces)].slice(0, tracesMax),
    action: one.action,
    cause: causeOfStatus(code, words),
    code: replyCode(words) ?? code,
    detail: wordsOf(withoutAddresses(words === '' ? code : words.slice(0, 2_000))),
  }
}

/** Counts lines, and those that may begin a part. */
function isTooMuch(raw: Uint8Array): boolean {
  let [lines, parts] = [0, 0]
  for (let at = raw.indexOf(newline); at >= 0; at = raw.indexOf(newline, at + 1)) {
    lines++
    if (raw[at + 1] === hyphen && raw[at + 2] === hyphen) parts++
  }
  return lines > linesMax || parts > partsMax
}

const newline = 10
const hyphen = 45

const statusTypes = ['message/delivery-status', 'message/global-delivery-status']
const returnedTypes = ['message/rfc822', 'text/rfc822-headers', 'message/global']

/** The beginning of the first part of these types. */
function partOf(parts: Attachment[], types: string[]): string | null {
  const part = parts.find(({ mimeType }) => types.includes(mimeType))
  if (!part) return null
  const { content } = part
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content as never)
  return bytes.subarray(0, partBytesMax).toString('utf8')
}

type Fields = Map<string, string>
const noFields: Fields = new Map()

/** The groups of fields between empty lines; of a name that is repeated the first counts. */
function groupsOf(text: string): Fields[] {
  const groups: Fields[] = []
  let fields: Fields = new Map()
  let last = ''
  for (const line of [...text.split(/\r?\n/), '']) {
    if (line.trim() === '') {
      if (fields.size > 0) groups.push(fields)
      if (groups.length >= groupsMax) break
      fields = new Map()
      last = ''
      continue
    }
    const [name = '', ...rest] = line.split(':')
    if (/^\s/.test(line)) {
      if (last !== '') fields.set(last, `${fields.get(last)} ${line.trim()}`)
    } else {
      const key = name.trim().toLowerCase()
      last = fields.has(key) ? '' : key
      if (last !== '') fields.set(key, rest.join(':').trim())
    }
  }
  return groups
}

function withAction(recipients: Fields[], action: BounceReport['action']) {
  const fields = recipients.find((each) => each.get('action')?.toLowerCase() === action)
  return fields ? { fields, action } : null
}

/** Hides everything that looks like an address, also as a part of a URL. */
function withoutAddresses(words: string): string {
  return words.replace(/[^\s<>()"',;:]+(?:@|%40)[^\s<>()"',;:]+/gi, '<recipient>')
}
