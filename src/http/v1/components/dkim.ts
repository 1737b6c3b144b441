import { t } from 'elysia'
import { dkimFields, dkimKeysMax } from '../../../domain/app/dkim.ts'
import { id, input, nullable, oneOf, output, time } from '../../core/schema.ts'
import { wireField } from '../../core/wire-field.ts'

const { domain, selector, privateKey } = dkimFields

export const newDkimKey = input('NewDkimKey', {
  domain: wireField(domain),
  selector: t.Optional(wireField(selector)),
  private_key: t.Optional(wireField(privateKey)),
})

const record = output(
  'DnsRecord',
  {
    name: t.String({ description: 'The name.' }),
    type: t.String({ description: 'The type.' }),
    value: t.String({ description: 'The value, as one text.' }),
  },
  { description: 'A record for the DNS.' },
)

export const dnsFindings = output('DnsFindings', {
  items: t.Array(
    output('DnsFinding', {
      domain: t.String({ description: 'The domain of a From address.' }),
      check: oneOf(['mx', 'spf', 'dkim', 'dmarc'], 'What was looked at.'),
      status: oneOf(['ok', 'warning', 'failed'], '`failed`: it is broken and does harm.'),
      detail: t.String({ description: 'What was found.' }),
      next: nullable(t.String(), 'What to do; null where nothing is to be done.'),
      record: nullable(record, 'A record to put into the DNS; null without one.'),
    }),
    { description: 'By domain.' },
  ),
})

const dkimFieldsShown = {
  id: id('Names the key in the routes and in the audit.'),
  domain: t.String({ description: domain.says }),
  selector: t.String({ description: 'The first part of the record’s name.' }),
  record,
  signs: t.Boolean({
    description: 'It signs the mail of its domain: the newest key that a check has found.',
  }),
  found_at: nullable(
    time('Since when the DNS has it.'),
    'Since when the DNS has it; null until a check finds it there. RFC 3339, UTC.',
  ),
  created_at: time('When it was made.'),
}

export const dkimKeySchema = output('DkimKey', dkimFieldsShown, {
  description: 'A DKIM key of an app, without the private key.',
})

export const dkimKeyList = output('DkimKeyList', {
  items: t.Array(dkimKeySchema, { description: `All of them, at most ${dkimKeysMax}.` }),
})

const found = oneOf(
  ['found', 'missing', 'other', 'unknown'],
  '`other`: another key, or several records. `unknown`: the DNS did not answer; nothing changed.',
)

export const dkimCheck = output('DkimCheck', {
  items: t.Array(output('CheckedDkimKey', { ...dkimFieldsShown, found }), {
    description: 'Every key of the app.',
  }),
})
