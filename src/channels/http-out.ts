import type { HttpFault, HttpOut } from '../domain/http-out.ts'
import type { Timers } from '../domain/ports.ts'

/** The longest time until the end of the answer where a request says nothing, in ms. */
export const httpMaxMs = 10_000
/** The longest answer that is read, in bytes. */
export const answerBytesMax = 64 * 1024

/**
 * Requests over HTTPS: the certificate must be for the host, whatever the environment says;
 * redirects are not followed; an answer that is too long or too late ends the request.
 */
export function createHttpOut({ timers }: { timers: Pick<Timers, 'after'> }): HttpOut {
  return async ({ method, url, headers = {}, body, signal, maxMs = httpMaxMs }) => {
    const controller = new AbortController()
    let isLate = false
    const stop = () => {
      isLate = true
      controller.abort()
    }
    const cancelLate = timers.after(maxMs, stop)
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) stop()
    try {
      const response = await fetch(url, {
        method,
        ...(body !== undefined && { body }),
        // Without compression a short answer is short in memory too.
        headers: { ...headers, 'accept-encoding': 'identity' },
        redirect: 'manual',
        keepalive: false,
        signal: controller.signal,
        tls: { rejectUnauthorized: true },
      })
      const text = await readBody(response)
      if (text === null) return { fault: 'too_long', isSent: true }
      const retryAfterMs = retryAfterOf(response.headers)
      return { status: response.status, body: text, headers: response.headers, retryAfterMs }
    } catch (error) {
      if (isLate) return { fault: 'timeout', isSent: true }
      return faultOf(error)
    } finally {
      cancelLate()
      signal?.removeEventListener('abort', stop)
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

function faultOf(error: unknown): HttpFault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (/CERT|^UNABLE_TO_|HOSTNAME_MISMATCH/.test(code))
    return { fault: 'certificate', isSent: false }
  if (code === 'ENOTFOUND') return { fault: 'unknown_host', isSent: false }
  return { fault: 'unreachable', isSent: code !== 'ECONNREFUSED' }
}
