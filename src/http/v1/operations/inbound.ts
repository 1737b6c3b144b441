import { t } from 'elysia'
import { anyType } from '../../core/raw-body.ts'
import type { Operation } from '../../core/route.ts'
import { id } from '../../core/schema.ts'

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

export const takeCallback = {
  id: 'takeCallback',
  tag: 'Inbound',
  summary: 'Take what a gateway tells',
  description:
    'For the gateways and bots that endpoints name: what became of a message, or what a person ' +
    'wrote. The credential is the gateway’s signature, in the form of its kind.',
  params: { endpoint_id: id('The endpoint’s id.') },
  raw: { mediaType: anyType, description: 'As the gateway sends it.' },
  bodyBytesMax: 256 * 1024,
  example: '{"update_id":900001}',
  answers: {
    204: { description: 'Taken.' },
    401: { description: 'No such endpoint, or the signature is missing or wrong.' },
  },
  problems: ['rate_limited', 'store_unavailable'],
} satisfies Operation

export const answerChallenge = {
  id: 'answerChallenge',
  tag: 'Inbound',
  summary: 'Answer a gateway that checks the address of its callbacks',
  description:
    'WhatsApp asks with the verify token that was typed in, and gets its challenge back.',
  params: { endpoint_id: id('The endpoint’s id.') },
  answers: {
    200: {
      description: 'The challenge.',
      schema: t.String(),
      mediaType: 'text/plain',
      example: '1158201444',
    },
    401: { description: 'No such endpoint, or another verify token.' },
  },
  problems: ['rate_limited', 'store_unavailable'],
} satisfies Operation
