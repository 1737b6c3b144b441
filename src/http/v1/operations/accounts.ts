import type { Operation } from '../../core/route.ts'
import { id } from '../../core/schema.ts'
import {
  accountChange,
  accountList,
  accountSchema,
  invitedSchema,
  newAccount,
  sessionList,
} from '../components/account.ts'

const tag = 'Accounts'
const at = '2026-11-22T09:00:00.000Z'
const params = { id: id('The account’s id.') }

const account = {
  id: '5dJq8Wn3bYtRk1VzLxCwEs',
  name: 'Ada Lovelace',
  role: 'admin',
  status: 'active',
  has_second_step: true,
  created_at: at,
  signed_in_at: at,
}
const invited = {
  ...account,
  ...{ status: 'invited', has_second_step: false, signed_in_at: null },
  link: 'https://otp-admin.example.com/#/link/b3RwbWludC1leGFtcGxlLXRva2VuLTAxMjM0NTY3ODk',
  link_expires_at: '2026-11-22T09:15:00.000Z',
}

export const listAccounts = {
  id: 'listAccounts',
  tag,
  summary: 'List the people who may use the dashboard',
  answers: { 200: { description: 'All.', schema: accountList, example: { items: [account] } } },
} satisfies Operation

export const inviteAccount = {
  id: 'inviteAccount',
  tag,
  summary: 'Invite a person',
  description: 'The person chooses a password through the link, within 15 minutes.',
  body: newAccount,
  example: { name: 'Grace Hopper', role: 'viewer' },
  answers: { 201: { description: 'Invited.', schema: invitedSchema, example: invited } },
  problems: ['invalid_request', 'account_name_taken', 'too_many_accounts'],
  sensitive: true,
} satisfies Operation

export const updateAccount = {
  id: 'updateAccount',
  tag,
  summary: 'Change a name or a role',
  params,
  body: accountChange,
  example: { role: 'admin' },
  answers: { 200: { description: 'Changed.', schema: accountSchema, example: account } },
  problems: ['invalid_request', 'account_not_found', 'account_name_taken', 'last_admin'],
  sensitive: true,
} satisfies Operation

export const removeAccount = {
  id: 'removeAccount',
  tag,
  summary: 'Remove a person’s access',
  description: 'Its sessions and links end at once.',
  params,
  answers: { 204: { description: 'Removed.' } },
  problems: ['account_not_found', 'last_admin'],
  sensitive: true,
} satisfies Operation

export const linkAccount = {
  id: 'linkAccount',
  tag,
  summary: 'Make a new link for a person',
  description:
    'For somebody who was invited, or has lost the password or the second step. Who uses it chooses a ' +
    'new password; the second step is removed, and all other sessions end.',
  params,
  answers: { 201: { description: 'Made.', schema: invitedSchema, example: invited } },
  problems: ['account_not_found'],
  sensitive: true,
} satisfies Operation

export const listSessions = {
  id: 'listSessions',
  tag,
  summary: 'List the sessions of a person',
  params,
  answers: {
    200: {
      description: 'Those that have not ended.',
      schema: sessionList,
      example: {
        items: [
          {
            id: '1Vw0Zq8sHc5NfRk2LxPwEm',
            browser: 'Firefox on Linux',
            client: '192.0.2.1',
            created_at: at,
            seen_at: at,
            expires_at: '2026-11-22T21:00:00.000Z',
          },
        ],
      },
    },
  },
  problems: ['account_not_found'],
} satisfies Operation

export const endSession = {
  id: 'endSession',
  tag,
  summary: 'End a session',
  params: { ...params, session_id: id('The session’s id.') },
  answers: { 204: { description: 'Ended.' } },
  problems: ['session_not_found'],
} satisfies Operation
