import { t } from 'elysia'
import swaggerCssPath from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' }
import swaggerJsPath from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' }
import { json } from '../core/pipeline.ts'
import { type Operation, type Route, type RoutePorts, routesOf } from '../core/route.ts'
import { output } from '../core/schema.ts'
import startCss from '../pages/start.css.txt' with { type: 'text' }
import startHtml from '../pages/start.html.txt' with { type: 'text' }
import swaggerCss from '../pages/swagger.css.txt' with { type: 'text' }
import swaggerHtml from '../pages/swagger.html.txt' with { type: 'text' }
import swaggerJs from '../pages/swagger.js.txt' with { type: 'text' }
import { service } from './api.ts'
import { alive, healthz, ready, readyz } from './health.ts'
import { file, packedFile, page, part } from './page.ts'

const route = routesOf(service)

const openApiDocument: Operation = {
  id: 'openApi',
  tag: 'Pages',
  summary: 'This API as OpenAPI 3.0',
  answers: {
    200: { description: 'The document.', schema: t.Record(t.String(), t.Unknown()), example: {} },
  },
}

const jwks: Operation = {
  id: 'jwks',
  tag: 'Operations',
  summary: 'The public keys of proofs, as a JWK set',
  answers: {
    200: {
      description: 'The key in use, and those before it.',
      schema: output('JwkSet', {
        keys: t.Array(t.Record(t.String(), t.Unknown()), { description: 'JWKs (RFC 7517).' }),
      }),
      example: { keys: [] },
    },
  },
}

async function publicKeys({ proofs }: Pick<RoutePorts, 'proofs'>) {
  const headers = { 'cache-control': 'public, max-age=300' }
  return json({ keys: await proofs.publicKeys() }, 200, headers)
}

/** Method, path, caller, documentation, handler. */
export const healthRoutes: Route[] = [
  route('GET', '/.well-known/jwks.json', 'anybody', jwks, publicKeys),
  route('GET', '/healthz', 'anybody', healthz, alive),
  route('GET', '/readyz', 'anybody', readyz, ready),
]

/** `/swagger`: our page with Swagger UI's script and style, all from inside the executable. */
export function pageRoutes(developerMode: boolean, openApi: () => Promise<unknown>): Route[] {
  let document: Promise<unknown> | null = null
  const readDocument = async () => {
    document ??= openApi()
    return json(await document)
  }
  return [
    route(
      'GET',
      '/',
      'anybody',
      page('startPage', 'What this is'),
      file('html', startPage(developerMode)),
    ),
    route('GET', '/start.css', 'anybody', part('startStyle'), file('css', startCss)),
    route(
      'GET',
      '/swagger',
      'anybody',
      page('apiPage', 'This API to read and try'),
      file('html', swaggerHtml),
    ),
    route('GET', '/swagger/json', 'anybody', openApiDocument, readDocument),
    route('GET', '/swagger/page.css', 'anybody', part('apiPageStyle'), file('css', swaggerCss)),
    route('GET', '/swagger/page.js', 'anybody', part('apiPageScript'), file('js', swaggerJs)),
    route(
      'GET',
      '/swagger/swagger-ui.css',
      'anybody',
      part('swaggerStyle'),
      packedFile('css', swaggerCssPath),
    ),
    route(
      'GET',
      '/swagger/swagger-ui-bundle.js',
      'anybody',
      part('swaggerScript'),
      packedFile('js', swaggerJsPath),
    ),
  ]
}

/** The page at `/`; in developer mode it also leads to the inbox. */
function startPage(developerMode: boolean): string {
  const says = 'Developer mode: what test keys sent, with its codes.'
  const inbox = `<li><a href="/dev/inbox">The inbox</a><span>${says}</span></li>\n`
  return startHtml.replace('{{developer-mode}}', developerMode ? inbox : '')
}
