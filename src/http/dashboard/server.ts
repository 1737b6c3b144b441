import type { Api, Reply } from '../core/api.ts'
import { createListener } from '../core/listener.ts'
import { type Route, routesOf } from '../core/route.ts'
import type { HttpPorts } from '../ports.ts'
import { v1 } from '../v1/api.ts'
import { v1Routes } from '../v1/routes.ts'
import { dashboard } from './api.ts'
import { createAssets } from './assets.ts'
import { assetReply } from './files.ts'
import * as docs from './operations.ts'
import { createPerson } from './person.ts'
import { admit, headersFor } from './place.ts'
import * as sessions from './sessions.ts'

const apis: [...Api[], Api] = [v1, dashboard as Api]
const route = routesOf(dashboard)

/** Method, path, caller, documentation, handler. */
const sessionRoutes: Route[] = [
  route('GET', '/session', 'person', docs.getSession, sessions.get),
  route('POST', '/session', 'anybody', docs.signIn, sessions.create),
  route('DELETE', '/session', 'person', docs.endSession, sessions.remove),
  route('DELETE', '/session/others', 'person', docs.endOtherSessions, sessions.removeOthers),
  route('POST', '/session/link', 'anybody', docs.readLink, sessions.link),
  route('POST', '/session/accept', 'anybody', docs.acceptLink, sessions.accept),
  route('POST', '/session/confirm', 'person', docs.confirmSession, sessions.confirm),
  route('PUT', '/session/password', 'person', docs.putPassword, sessions.putPassword),
  route(
    'POST',
    '/session/second-step',
    'person',
    docs.proposeSecondStep,
    sessions.proposeSecondStep,
  ),
  route('PUT', '/session/second-step', 'person', docs.putSecondStep, sessions.putSecondStep),
  route(
    'DELETE',
    '/session/second-step',
    'person',
    docs.deleteSecondStep,
    sessions.deleteSecondStep,
  ),
]

/**
 * Creates the server of the dashboard: its files, the sessions of people, and the routes of the admin
 * for whoever has a session. It serves nothing else, and no token opens anything here.
 */
export function createDashboard(ports: HttpPorts) {
  const { find } = createAssets()
  const file = ({ request }: { request: Request }): Promise<Reply> => assetReply(find, request)
  const routes: Route[] = [
    ...v1Routes.filter(({ caller }) => caller === 'admin'),
    ...sessionRoutes,
    route('GET', '/', 'anybody', docs.page, (_, context) => file(context)),
    route('GET', '/ui/:file', 'anybody', docs.asset, (_, context) => file(context)),
  ]
  return createListener(ports, {
    apis,
    routes,
    admit: (request) => admit(request, ports.dashboard),
    headersFor: (request) => headersFor(request, ports.dashboard),
    pageBase: () => null,
    person: createPerson(ports),
  })
}
