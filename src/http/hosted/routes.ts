import { t } from 'elysia'
import type { Reply } from '../core/api.ts'
import { type Operation, type Route, routesOf } from '../core/route.ts'
import { timedId } from '../core/schema.ts'
import pageCss from '../pages/verify.css.txt' with { type: 'text' }
import pageJs from '../pages/verify.js.txt' with { type: 'text' }
import widgetTypes from '../pages/widget.d.ts.txt' with { type: 'text' }
import widgetJs from '../pages/widget.js.txt' with { type: 'text' }
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

function widget(id: string): Operation {
  return { id, tag: 'Pages', summary: 'For pages that show a hosted page', answers, hidden: true }
}

/** A file that pages of other sites load, compressed once; browsers ask again after an hour. */
function shared(type: 'js' | 'ts', text: string): () => Reply {
  const body = Bun.gzipSync(text)
  const headers = {
    'cache-control': 'public, max-age=3600',
    'content-encoding': 'gzip',
    'cross-origin-resource-policy': 'cross-origin',
    'access-control-allow-origin': '*',
  }
  const media = type === 'js' ? 'text/javascript' : 'text/plain'
  return () => ({ status: 200, type: `${media}; charset=utf-8`, body, headers })
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
  route('GET', '/otpmint.js', 'anybody', widget('widget'), shared('js', widgetJs)),
  route('GET', '/otpmint.d.ts', 'anybody', widget('widgetTypes'), shared('ts', widgetTypes)),
  route('GET', '/verify/page.js', 'anybody', page('pageScript', 'A part'), file('js', pageJs)),
  route('GET', '/verify/:id/:secret', 'anybody', opening, open),
  route('GET', '/verify/:id', 'anybody', page('showPage', 'A hosted page'), show),
  route('POST', '/verify/:id', 'anybody', acting, act),
  route('GET', '/verify/:id/report/:secret', 'anybody', asking, ask),
  route('POST', '/verify/:id/report/:secret', 'anybody', reporting, report),
]
