import type { Operation } from '../../core/route.ts'

export const reportBounce = {
  id: 'reportBounce',
  tag: 'Inbound',
  summary: 'Report a mail that came back',
  description:
    'The raw message of a mail server (RFC 3464), as a pipe or a mailbox rule has it. The answer ' +
    'is the same for a message that is not about one of the app’s. At most 600 a minute.',
  raw: { mediaType: 'message/rfc822', description: 'The whole message.' },
  bodyBytesMax: 256 * 1024,
  example: 'Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n…',
  answers: { 204: { description: 'Taken.' } },
  problems: ['invalid_request'],
} satisfies Operation
