import { Problem } from '../../domain/problem.ts'

const bytesMax = 16 * 1024
const depthMax = 8

/**
 * Reads the JSON of a request; used for every content type, so that no other parser runs.
 * `undefined` when there is no body at all. Throws `unsupported_media_type`, `body_too_large`,
 * `malformed_json`.
 */
export async function readJson(request: Request): Promise<unknown> {
  const { headers } = request
  const length = headers.get('content-length')
  if (length === '0' || (length === null && request.body === null)) return undefined
  if (!isJson(headers.get('content-type'))) throw new Problem('unsupported_media_type')

  const text = length === null ? await readChunks(request) : await readWhole(request, length)
  if (text === '') return undefined
  if (isDeep(text)) {
    throw new Problem('malformed_json', { detail: `It is nested deeper than ${depthMax} levels` })
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Problem('malformed_json')
  }
}

/** Accepts only this media type, because a foreign page can send forms without a preflight. */
function isJson(header: string | null): boolean {
  if (header === 'application/json') return true
  const [type = '', ...parameters] = (header ?? '').toLowerCase().split(';')
  const named = parameters.map((part) => part.trim()).filter((part) => part !== '')
  if (type.trim() !== 'application/json') return false
  return named.every((part) => /^charset="?utf-8"?$/.test(part))
}

async function readWhole(request: Request, length: string): Promise<string> {
  if (!(Number(length) <= bytesMax)) throw new Problem('body_too_large')
  const text = await request.text()
  if (text.length > bytesMax) throw new Problem('body_too_large')
  return text
}

/** Reads a body without Content-Length, up to the greatest length. */
async function readChunks({ body }: Request): Promise<string> {
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw new Problem('body_too_large')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** Tests the depth before parsing, because deep nesting would exhaust the stack. */
function isDeep(text: string): boolean {
  let depth = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const character = text.charCodeAt(index)
    if (quoted) {
      if (character === 92) index++
      else if (character === 34) quoted = false
    } else if (character === 34) quoted = true
    else if (character === 123 || character === 91) {
      if (++depth > depthMax) return true
    } else if (character === 125 || character === 93) depth--
  }
  return false
}
