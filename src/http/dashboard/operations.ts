import { t } from 'elysia'
import type { Operation } from '../core/route.ts'
import { input } from '../core/schema.ts'

const tag = 'Dashboard'
const answers = { 200: { description: 'Done.' } }

// The lengths only bound what the domain judges.
const name = t.String({ maxLength: 256, description: 'The person’s name.' })
const password = t.String({ maxLength: 1024, description: 'The password.' })
const code = t.String({ maxLength: 20, description: 'The code of the second step.' })
const secret = t.String({ maxLength: 64, description: 'The secret that was shown, in base32.' })
const token = t.String({ maxLength: 64, description: 'The token of a link.' })

/** Operations of the dashboard’s own pages, which are not in OpenAPI. */
function own(id: string, summary: string) {
  return { id, tag, summary, answers, hidden: true } as const
}

export const page = own('dashboard', 'The dashboard') satisfies Operation
export const asset = own('dashboardAsset', 'A part of the dashboard') satisfies Operation

export const getSession = own('getSession', 'Who is signed in') satisfies Operation
export const endSession = own('signOut', 'Sign out') satisfies Operation

export const endOtherSessions = own('signOutElsewhere', 'End other sessions') satisfies Operation

export const signIn = {
  ...own('signIn', 'Sign in'),
  body: input('SignIn', { name, password, code: t.Optional(code) }),
} satisfies Operation

export const readLink = {
  ...own('readLink', 'What a link is for'),
  body: input('LinkToken', { token }),
} satisfies Operation

export const acceptLink = {
  ...own('acceptLink', 'Use a link'),
  body: input('Acceptance', {
    token,
    password,
    name: t.Optional(name),
    secret: t.Optional(secret),
    code: t.Optional(code),
  }),
} satisfies Operation

export const confirmSession = {
  ...own('confirmSession', 'Give the password again'),
  body: input('Confirmation', { password, code: t.Optional(code) }),
} satisfies Operation

export const putPassword = {
  ...own('putPassword', 'Change the password'),
  body: input('NewPassword', { password }),
  sensitive: true,
} satisfies Operation

export const proposeSecondStep = own('proposeSecondStep', 'A new secret') satisfies Operation

export const putSecondStep = {
  ...own('putSecondStep', 'Set the second step up'),
  body: input('NewSecondStep', { secret, code }),
  sensitive: true,
} satisfies Operation

export const deleteSecondStep = {
  ...own('deleteSecondStep', 'Remove the second step'),
  sensitive: true,
} satisfies Operation
