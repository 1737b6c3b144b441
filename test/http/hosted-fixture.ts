import { expect } from 'bun:test'
import type { Policy } from '../../src/domain/app/policy.ts'
import { codeOf } from '../support/world.ts'
import { type Answer, type Json, type Site, site } from './fixture.ts'

export const returnUrl = 'https://app.example.com/done?step=2'
export const base = 'https://otp.example.com'

/** A server with a public URL, whose app lists a return URL. */
export function hostedSite(
  options: Omit<NonNullable<Parameters<typeof site>[0]>, 'http'> & { policy?: Policy } = {},
): Promise<Site> {
  const { policy = {}, ...others } = options
  return site({
    ...others,
    policy: { returnUrls: [returnUrl], ...policy },
    http: { publicUrl: base },
  })
}

/** Starts a verification with a page. */
export async function startPage(at: Site, body: Json = {}, headers: Record<string, string> = {}) {
  const answer = await at.call('POST', '/v1/verifications', {
    body: { to: 'ada@example.com', return_url: returnUrl, ...body },
    headers,
  })
  expect([answer.status, answer.json?.code]).toEqual([201, undefined])
  const { id, page_url: pageUrl } = answer.json as { id: string; page_url: string }
  return { id, pageUrl, path: pageUrl.replace(base, ''), code: codeOf(at.sent.at(-1)) }
}

/** A browser: it keeps the cookies that it is given, and follows nothing. */
export function browser(at: Site, from = '192.0.2.9') {
  let cookie = ''
  const ask = async (method: string, path: string, fields?: Record<string, string> | string) => {
    const raw = typeof fields === 'object' ? new URLSearchParams(fields).toString() : fields
    const answer = await at.call(method, path, {
      token: null,
      from,
      headers: {
        'accept-language': 'en',
        ...(cookie && { cookie }),
        ...(raw !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(raw !== undefined && { raw }),
    })
    cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? cookie
    return answer
  }
  return {
    get: (path: string) => ask('GET', path),
    head: (path: string) => ask('HEAD', path),
    post: (path: string, fields: Record<string, string> | string) => ask('POST', path, fields),
    cookie: () => cookie,
    take: (other: string) => {
      cookie = other
    },
  }
}

/** Opens a page in a browser; answers where it then is. */
export async function opened(at: Site, path: string, from?: string) {
  const one = browser(at, from)
  const answer = await one.get(path)
  expect([answer.status, one.cookie() !== '']).toEqual([303, true])
  return one
}

/** The result that a redirect carries back. */
export function resultOf(answer: Answer): string {
  return URL.parse(answer.headers.get('location') ?? '')?.searchParams.get('otpmint_result') ?? ''
}

export const statusOf = async (at: Site, id: string) => {
  const { json } = await at.call('GET', `/v1/verifications/${id}`)
  return [json.status, json.attempts_left]
}
