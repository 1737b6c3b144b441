import { t } from 'elysia'
import { type Operation, type Route, routesOf } from '../core/route.ts'
import { timedId } from '../core/schema.ts'
import pageCss from '../pages/verify.css.txt' with { type: 'text' }
import pageJs from '../pages/verify.js.txt' with { type: 'text' }
import { file } from '../service/page.ts'
import { hosted } from './api.ts'
import { act, open, show } from './pages.ts'
import { ask, report } from './report.ts'

const route = routesOf(hosted)
const params = { id: timedId('The verification’s id.') }
const answers = { 200: { description: 'The page.' } }

/** Pages of persons, which no client calls, so they are not in OpenAPI. */
function page(id: string, summary: string): Operation {
  return { id, tag: 'Pages', summary, params, answers, hidden: true }
}

const form = t.Object({ action: t.Optional(t.String()), code: t.Optional(t.String()) })
const acting = { ...page('actOnPage', 'What a person does there'), body: form }
const opening = {
  ...page('openPage', 'Open a hosted page, once'),
  params: { ...params, secret: t.String({ description: 'The secret of the link.' }) },
}

const asking = { ...opening, id: 'askReport', summary: 'Ask whether it was not them' }
const reporting = {
  ...{ ...opening, id: 'report', summary: 'Report that it was not them' },
  body: t.Object({ action: t.Optional(t.String()), form: t.Optional(t.String()) }),
}

/** Method, path, caller, documentation, handler. */
export const hostedRoutes: Route[] = [
  route('GET', '/verify/page.css', 'anybody', page('pageStyle', 'A part'), file('css', pageCss)),
  route('GET', '/verify/page.js', 'anybody', page('pageScript', 'A part'), file('js', pageJs)),
  route('GET', '/verify/:id/:secret', 'anybody', opening, open),
  route('GET', '/verify/:id', 'anybody', page('showPage', 'A hosted page'), show),
  route('POST', '/verify/:id', 'anybody', acting, act),
  route('GET', '/verify/:id/report/:secret', 'anybody', asking, ask),
  route('POST', '/verify/:id/report/:secret', 'anybody', reporting, report),
]
