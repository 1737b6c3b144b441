import { t } from 'elysia'
import type { Reply } from '../core/api.ts'
import type { Operation } from '../core/route.ts'

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
}

/** The policy of our pages: own scripts, styles, data and frames only; never in a frame. */
const policy = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
}

/** Serves one file of a page. */
export function file(type: keyof typeof types, body: string): () => Reply {
  return () => ({ status: 200, type: types[type], body, headers: policy })
}

/** Serves a file of the executable, compressed on first use and kept. Every browser takes gzip. */
export function packedFile(type: keyof typeof types, path: string): () => Promise<Reply> {
  let body: Uint8Array | null = null
  return async () => {
    body ??= Bun.gzipSync(new Uint8Array(await Bun.file(path).arrayBuffer()))
    const headers = { ...policy, 'content-encoding': 'gzip' }
    return { status: 200, type: types[type], body, headers }
  }
}

const html = { schema: t.String(), mediaType: 'text/html', example: '<!doctype html>…' }

export function page(id: string, summary: string): Operation {
  return { id, tag: 'Pages', summary, answers: { 200: { description: 'The page.', ...html } } }
}

/** A style or a script of a page, which is not in OpenAPI. */
export function part(id: string): Operation {
  return { ...page(id, 'A part of a page'), hidden: true }
}
