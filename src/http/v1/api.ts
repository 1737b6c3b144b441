import type { KeyHolder } from '../../domain/app/api-key.ts'
import type { Actor } from '../../domain/audit.ts'
import { type Api, anybody, type Context } from '../core/api.ts'
import {
  adminOf,
  appOf,
  type Caller,
  inboundOf,
  type RecalledCaller,
  recalledAppOf,
} from '../core/guard.ts'
import { problemJson } from '../core/problems.ts'
import { readJson } from '../core/request.ts'
import { describeProblemJson } from '../openapi/problem.ts'

type Callers = {
  app: Caller
  /** An app by memory. */
  checker: RecalledCaller
  admin: { actor: Actor }
  inbound: KeyHolder<'inbound'>
  /** Known by a signature, which the endpoint’s kind verifies. */
  gateway: object
}

/** What a handler gets of a request of an app, of the admin, and of a reporter of returned mail. */
export type AppCall = Context & Callers['app']
export type CheckerCall = Context & Callers['checker']
export type AdminCall = Context & Callers['admin']
export type InboundCall = Context & Callers['inbound']
export type GatewayCall = Context & Callers['gateway']

/** `/v1`: JSON in and out, refusals as `application/problem+json`. */
export const v1: Api<Callers> = {
  tags: [
    { name: 'Verifications', description: 'For apps, with a live or a test key.' },
    { name: 'Recipients', description: 'For apps: persons who let the app write to them.' },
    { name: 'Apps', description: 'For the admin, with the admin token.' },
    { name: 'Webhooks', description: 'For the admin: URLs that are told what happens in an app.' },
    { name: 'Inbound', description: 'For mail servers, with an inbound key, and for gateways.' },
    { name: 'Messages', description: 'For the admin: what an app’s messages say and show.' },
    { name: 'Accounts', description: 'For the admin: people who may use the dashboard.' },
    { name: 'Records', description: 'For the admin: counts, events, alarms, audit.' },
  ],
  owns: (path) => path === '/v1' || path.startsWith('/v1/'),
  readBody: readJson,
  authenticate: {
    app: { security: [{ appKey: [] }], identify: appOf },
    checker: { security: [{ appKey: [] }], identify: recalledAppOf },
    admin: { security: [{ adminToken: [] }], identify: adminOf },
    inbound: { security: [{ inboundKey: [] }], identify: inboundOf },
    gateway: anybody,
  },
  toResponse: (problem, { requestId }) => problemJson(problem, requestId),
  describeProblems: describeProblemJson,
  mediaType: 'application/json',
}
