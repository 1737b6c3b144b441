import type { Operation } from '../../core/route.ts'
import { id } from '../../core/schema.ts'
import {
  dkimCheck,
  dkimKeyList,
  dkimKeySchema,
  dnsFindings,
  newDkimKey,
} from '../components/dkim.ts'

const tag = 'Apps'
const params = { id: id('The app’s id.') }
const keyParams = { ...params, dkim_id: id('The key’s id.') }

const example = {
  id: '2cV8nM4qL7xT0yR5sW9zB3',
  domain: 'example.com',
  selector: 'otpmint-r5sw9z',
  record: {
    name: 'otpmint-r5sw9z._domainkey.example.com',
    type: 'TXT',
    value: 'v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0B…',
  },
  signs: false,
  found_at: null,
  created_at: '2026-11-22T09:00:00.000Z',
}
const signing = { ...example, signs: true, found_at: '2026-11-22T09:30:00.000Z' }

export const addDkimKey = {
  id: 'addDkimKey',
  tag,
  summary: 'Add a DKIM key for a domain',
  description:
    'Makes an RSA key of 2048 bits, or takes yours. It signs once a check has found its record ' +
    'in the DNS.',
  params,
  draft: newDkimKey,
  example: { domain: 'example.com' },
  answers: { 201: { description: 'Added.', schema: dkimKeySchema, example } },
  problems: ['invalid_request', 'app_not_found', 'too_many_dkim_keys'],
  sensitive: true,
} satisfies Operation

export const listDkimKeys = {
  id: 'listDkimKeys',
  tag,
  summary: 'List an app’s DKIM keys',
  params,
  answers: {
    200: { description: 'All of them.', schema: dkimKeyList, example: { items: [signing] } },
  },
  problems: ['app_not_found'],
} satisfies Operation

export const checkDkimKeys = {
  id: 'checkDkimKeys',
  tag,
  summary: 'Look an app’s DKIM keys up in the DNS',
  description:
    'A key that is found signs from now on, unless a newer one of its domain does; one that is ' +
    'missing stops signing.',
  params,
  answers: {
    200: {
      description: 'What was found.',
      schema: dkimCheck,
      example: { items: [{ ...signing, found: 'found' }] },
    },
  },
  problems: ['app_not_found'],
} satisfies Operation

export const testDns = {
  id: 'testDns',
  tag,
  summary: 'Read what the DNS says about an app’s From domains',
  description: 'MX, SPF, DKIM and DMARC of each, and what to put into the DNS. Sends nothing.',
  params,
  answers: {
    200: {
      description: 'What was found.',
      schema: dnsFindings,
      example: {
        items: [
          {
            domain: 'example.com',
            check: 'dmarc',
            status: 'warning',
            detail: 'example.com has no DMARC record',
            next: 'add one: large mailbox providers ask for it',
            record: { name: '_dmarc.example.com', type: 'TXT', value: 'v=DMARC1; p=none' },
          },
        ],
      },
    },
  },
  problems: ['app_not_found'],
} satisfies Operation

export const removeDkimKey = {
  id: 'removeDkimKey',
  tag,
  summary: 'Remove a DKIM key',
  description: 'It signs nothing more; remove its record a few days later.',
  params: keyParams,
  answers: { 204: { description: 'Removed.' } },
  problems: ['app_not_found', 'dkim_key_not_found'],
  sensitive: true,
} satisfies Operation
