import swaggerCssPath from 'swagger-ui-dist/swagger-ui.css' with { type: 'file' }
import swaggerJsPath from 'swagger-ui-dist/swagger-ui-bundle.js' with { type: 'file' }
import { pagePolicy } from './operations.ts'
import pageCss from './pages/docs.css.txt' with { type: 'text' }
import pageHtml from './pages/docs.html.txt' with { type: 'text' }
import pageJs from './pages/docs.js.txt' with { type: 'text' }
import type { Reply } from './reply.ts'
import type { Route, RouteMakers } from './route.ts'

const css = 'text/css; charset=utf-8'
const script = 'text/javascript; charset=utf-8'

/** `/swagger`: our page, Swagger UI's script and style, all from inside the executable. */
export function docsRoutes(routes: RouteMakers, openApi: () => Promise<unknown>): Route[] {
  const asset = (path: string, summary: string, read: () => Reply | Promise<Reply>) =>
    routes.open({
      tag: 'Documentation',
      ...(path.includes('.') && { hidden: true }),
      summary,
      answers: { 200: { description: 'As it is.' } },
      method: 'GET',
      path,
      handle: read,
    })
  let document: string | null = null
  const page = (type: string, body: string): Reply => ({
    status: 200,
    type,
    body,
    headers: pagePolicy,
  })
  return [
    asset('/swagger', 'This API to read and try', () => page('text/html; charset=utf-8', pageHtml)),
    asset('/swagger/json', 'This API as OpenAPI 3.0', async () => {
      document ??= JSON.stringify(await openApi())
      return page('application/json', document)
    }),
    asset('/swagger/page.css', 'Style', () => page(css, pageCss)),
    asset('/swagger/page.js', 'Script', () => page(script, pageJs)),
    asset('/swagger/swagger-ui.css', 'Style', packed(swaggerCssPath, css)),
    asset('/swagger/swagger-ui-bundle.js', 'Script', packed(swaggerJsPath, script)),
  ]
}

/** Compressed on first use and kept: 1.7 MB become 0.5. Every browser takes gzip. */
function packed(path: string, type: string): () => Promise<Reply> {
  let body: Uint8Array | null = null
  return async () => {
    body ??= Bun.gzipSync(new Uint8Array(await Bun.file(path).arrayBuffer()))
    const headers = { ...pagePolicy, 'content-encoding': 'gzip' }
    return { status: 200, type, body, headers }
  }
}
