import type { Timers } from '../domain/ports.ts'

export type HttpAnswer = {
  status: number
  body: string
  /** The wait of a Retry-After header in seconds; null without one. */
  retryAfterMs: number | null
}

/** Why there was no answer. `certificate`: it is not trusted, or for another name. */
export type HttpFault = 'timeout' | 'unreachable' | 'certificate' | 'too_long'

/** Posts a form to a URL of ours; never rejects. */
export type PostForm = (
  url: string,
  form: Record<string, string>,
) => Promise<HttpAnswer | HttpFault>

/** The longest time until the end of the answer, in ms. */
export const httpMaxMs = 10_000
/** The longest answer that is read, in bytes. */
export const answerBytesMax = 64 * 1024

/**
 * Posts forms over HTTPS: the certificate must be for the host, whatever the environment says;
 * redirects are not followed; an answer that is too long or too late ends the request.
 */
export function createPostForm(timers: Pick<Timers, 'after'>): PostForm {
  return async (url, form) => {
    const controller = new AbortController()
    let isLate = false
    const cancelLate = timers.after(httpMaxMs, () => {
      isLate = true
      controller.abort()
    })
    try {
      const response = await fetch(url, {
        method: 'POST',
        body: new URLSearchParams(form),
        // Without compression a short answer is short in memory too.
        headers: { accept: 'application/json', 'accept-encoding': 'identity' },
        redirect: 'manual',
        keepalive: false,
        signal: controller.signal,
        tls: { rejectUnauthorized: true },
      })
      const body = await readBody(response)
      if (body === null) return 'too_long'
      return { status: response.status, body, retryAfterMs: retryAfterOf(response.headers) }
    } catch (error) {
      if (isLate) return 'timeout'
      return isCertificate(error) ? 'certificate' : 'unreachable'
    } finally {
      cancelLate()
      controller.abort()
    }
  }
}

/** The text of an answer; null where it is too long. */
async function readBody({ body }: Response): Promise<string | null> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > answerBytesMax) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function retryAfterOf(headers: Headers): number | null {
  const seconds = headers.get('retry-after') ?? ''
  return /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : null
}

function isCertificate(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH/.test(code)
}
