import { Problem } from '../../domain/problem.ts'
import type { Reply } from '../core/api.ts'
import { pathOf } from '../core/not-found.ts'
import type { createAssets } from './assets.ts'

const yearSeconds = 31_536_000

/** Answers with a file of the dashboard, or that the browser’s copy is still right. */
export async function assetReply(
  find: ReturnType<typeof createAssets>['find'],
  request: Request,
): Promise<Reply> {
  const { headers } = request
  const asset = await find(pathOf(request.url), headers.get('accept-encoding'))
  if (!asset) throw new Problem('not_found')
  const { body, type, etag, immutable, encoding, policy } = asset
  const shown = {
    etag,
    vary: 'accept-encoding',
    'cache-control': immutable ? `public, max-age=${yearSeconds}, immutable` : 'no-cache',
    'content-security-policy': policy,
  }
  const known = headers.get('if-none-match')?.split(',') ?? []
  if (known.some((each) => each.trim().replace(/^W\//, '') === etag)) {
    return { status: 304, type: '', body: null, headers: shown }
  }
  const encoded = encoding === null ? {} : { 'content-encoding': encoding }
  return { status: 200, type, body, headers: { ...shown, ...encoded } }
}
