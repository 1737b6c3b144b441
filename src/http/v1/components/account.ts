import { t } from 'elysia'
import { roles } from '../../../domain/account/account.ts'
import { namePattern } from '../../core/patterns.ts'
import { id, input, nullable, oneOf, output, time } from '../../core/schema.ts'

const name = t.String({
  minLength: 1,
  maxLength: 64,
  description: 'The person’s name, with which they sign in: 1 to 64 characters.',
  shown: { pattern: namePattern },
})
const role = oneOf(roles, '`viewer` reads everything that an admin reads, and changes nothing.')

export const newAccount = input('NewAccount', { name, role })
export const accountChange = input('AccountChange', {
  name: t.Optional(name),
  role: t.Optional(role),
})

const fields = {
  id: id('Its id.'),
  name: t.String({ description: 'The person’s name.' }),
  role,
  status: oneOf(['invited', 'active'], '`invited`: no password was chosen yet.'),
  has_second_step: t.Boolean({ description: 'A code is asked for besides the password.' }),
  created_at: time('When it was made.'),
  signed_in_at: nullable(time('The last sign-in; null before the first.')),
}

export const accountSchema = output('Account', fields)

export const accountList = output('AccountList', {
  items: t.Array(accountSchema, { description: 'The oldest first; a hundred at most.' }),
})

export const invitedSchema = output('InvitedAccount', {
  ...fields,
  link: nullable(
    t.String(),
    'Lets the person choose a password, once; shown only now. Null where the dashboard is off.',
  ),
  link_expires_at: time('When the link ends.'),
})

export const sessionList = output('SessionList', {
  items: t.Array(
    output('Session', {
      id: id('Its id.'),
      browser: t.String({ description: 'What the browser calls itself.' }),
      client: t.String({ description: 'The address of the sign-in; IPv6 by its /64.' }),
      created_at: time('When the person signed in.'),
      seen_at: time('When it was last used, to the minute.'),
      expires_at: time('When it ends at the latest.'),
    }),
    { description: 'The newest first; twenty at most.' },
  ),
})
