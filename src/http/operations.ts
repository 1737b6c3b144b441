import { t } from 'elysia'
import { Problem, type ProblemCode } from '../domain/problem.ts'
import inboxCss from './pages/inbox.css.txt' with { type: 'text' }
import inboxHtml from './pages/inbox.html.txt' with { type: 'text' }
import inboxJs from './pages/inbox.js.txt' with { type: 'text' }
import type { HttpPorts, InboxMessage } from './ports.ts'
import { json, type Reply, timestamp } from './reply.ts'
import type { Route, RouteMakers } from './route.ts'
import { object } from './schema.ts'

const tag = 'Operations'
const html = 'text/html; charset=utf-8'
const css = 'text/css; charset=utf-8'
const script = 'text/javascript; charset=utf-8'

/** Only what lies here: own script, own style, own data, and in nobody's frame. */
export const pagePolicy = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

type OperationPorts = Pick<HttpPorts, 'ready' | 'stopping' | 'inbox' | 'http' | 'clock'>

export function operationRoutes(routes: RouteMakers, ports: OperationPorts): Route[] {
  return [
    routes.open({
      ...healthDoc,
      method: 'GET',
      path: '/healthz',
      handle: () => json({ status: 'ok' }),
    }),
    routes.open({
      ...readyDoc,
      method: 'GET',
      path: '/readyz',
      handle: async () => {
        if (ports.stopping()) throw new Problem('shutting_down')
        if (!(await ports.ready())) throw new Problem('store_unavailable')
        return json({ status: 'ready' })
      },
    }),
    ...(ports.http.developerMode ? inboxRoutes(routes, ports) : []),
  ]
}

/** Developer mode: the messages of test keys, for whoever can reach the server. */
function inboxRoutes(routes: RouteMakers, { inbox, clock }: OperationPorts): Route[] {
  const asset = (path: string, summary: string, type: string, body: string) =>
    routes.open({
      tag: 'Developer mode',
      ...(path.includes('.') && { hidden: true }),
      summary,
      answers: { 200: { description: 'As it is.' } },
      method: 'GET',
      path,
      handle: (): Reply => ({ status: 200, type, body, headers: pagePolicy }),
    })
  return [
    asset('/dev/inbox', 'The inbox page', html, inboxHtml),
    asset('/dev/inbox.css', 'Its style', css, inboxCss),
    asset('/dev/inbox.js', 'Its script', script, inboxJs),
    routes.open({
      ...inboxDoc,
      method: 'GET',
      path: '/dev/inbox.json',
      handle: () => {
        const now = clock.now()
        return json({ items: inbox.list().map((message) => presentMessage(message, now)) })
      },
    }),
  ]
}

function presentMessage(message: InboxMessage, now: number) {
  return {
    id: message.deliveryId,
    app: message.appName,
    to: message.to,
    code: message.code,
    reference: message.reference,
    subject: message.subject,
    text: message.text,
    sent_at: timestamp(message.at),
    expires_at: timestamp(message.expiresAt),
    expired: message.expiresAt <= now,
  }
}

const status = object({ status: t.String() })

const healthDoc = {
  tag,
  summary: 'Is the process alive?',
  answers: { 200: { description: 'Yes.', schema: status, example: { status: 'ok' } } },
}

const readyDoc = {
  tag,
  summary: 'May it be sent work?',
  description: 'The database takes writes, the keys are right, and the server is not stopping.',
  answers: { 200: { description: 'Yes.', schema: status, example: { status: 'ready' } } },
  problems: ['store_unavailable', 'shutting_down'] satisfies ProblemCode[],
}

const inboxDoc = {
  tag: 'Developer mode',
  summary: 'What test keys sent, the newest first',
  answers: {
    200: {
      description: 'Kept in memory only.',
      schema: object({
        items: t.Array(
          object({
            id: t.String(),
            app: t.String(),
            to: t.String(),
            code: t.String(),
            reference: t.String(),
            subject: t.String(),
            text: t.String(),
            sent_at: t.String(),
            expires_at: t.String(),
            expired: t.Boolean(),
          }),
        ),
      }),
      example: { items: [] },
    },
  },
}
