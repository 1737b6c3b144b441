import { getSchemaValidator, type Static, type TSchema } from 'elysia'
import { type FieldError, invalidField, Problem } from '../../domain/problem.ts'

/** The longest body of a route that says nothing else. */
export const bodyBytesMax = 16 * 1024
const depthMax = 8
const waitMaxSeconds = 30

/**
 * Reads the JSON of a request; used for every content type, so that no other parser runs.
 * `undefined` when there is no body at all. Throws `unsupported_media_type`, `body_too_large` above
 * `bytesMax` bytes, `malformed_json`.
 */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const { headers } = request
  const length = headers.get('content-length')
  if (length === '0' || (length === null && request.body === null)) return undefined
  if (!isJson(headers.get('content-type'))) throw wrongMediaType('application/json')

  const text =
    length === null
      ? await readChunks(request, bytesMax)
      : await readWhole(request, { length, bytesMax })
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

export function tooLarge(bytesMax: number): Problem {
  const detail = `The body may have at most ${bytesMax / 1024} KiB`
  return new Problem('body_too_large', { detail })
}

export function wrongMediaType(right: string): Problem {
  return new Problem('unsupported_media_type', { detail: `The body must be ${right}` })
}

/** `Prefer: wait=N` (RFC 7240), at most 30 seconds; null when none was asked for. */
export function preferredWait({ headers }: Request): number | null {
  const header = headers.get('prefer')
  if (header === null || header.length > 1000) return null
  const asked = /(?:^|,)\s*wait\s*=\s*"?(\d{1,5})"?\s*(?:[;,]|$)/i.exec(header)?.[1]
  return asked === undefined ? null : Math.min(Number(asked), waitMaxSeconds)
}

/** A key bare, as most clients write it, or quoted (a string of RFC 9651). */
export const idempotencyKeyPattern = '^([!#-~][!-~]{0,254}|"[!#-~]{1,253}")$'

/** `Idempotency-Key`; the same key quoted and bare is one key. Undefined when there is none. */
export function idempotencyKey({ headers }: Request): string | undefined {
  const header = headers.get('idempotency-key')
  if (header === null) return undefined
  if (!new RegExp(idempotencyKeyPattern).test(header)) {
    throw invalidField('Idempotency-Key', 'must be 1 to 255 visible ASCII characters')
  }
  return header.startsWith('"') ? header.slice(1, -1) : header
}

/** The JSON as text, the same for any order of fields. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/**
 * Compiles a schema to a check. The check throws `invalid_request` with the path of every wrong
 * field and what would be right, never with the value.
 */
export function createChecker<Schema extends TSchema>(schema: Schema) {
  const validator = getSchemaValidator(schema, { normalize: false })
  return (value: unknown): Static<Schema> => {
    if (validator.Check(value)) return value as Static<Schema>
    throw new Problem('invalid_request', { errors: mistakesOf(validator.Errors(value)) })
  }
}

/**
 * Compiles the schema of a query to a reader of URLs. It refuses a repeated name, which other
 * software may read differently (parameter pollution).
 */
export function createQueryReader<Schema extends TSchema>(schema: Schema) {
  const check = createChecker(schema)
  const fields = schema['properties'] as Record<string, TSchema>
  return (url: string): Static<Schema> => {
    const at = url.indexOf('?')
    const query: Record<string, unknown> = {}
    for (const [name, text] of at < 0 ? [] : new URLSearchParams(url.slice(at + 1))) {
      if (Object.hasOwn(query, name)) {
        throw new Problem('invalid_request', {
          errors: [{ field: 'query', reason: 'has a name twice' }],
        })
      }
      const type = Object.hasOwn(fields, name) ? fields[name]?.['type'] : undefined
      query[name] = readValue(type, text)
    }
    return check(query)
  }
}

/** A body whose field names were checked; `mistakes` has the unknown ones. */
export type Draft = { fields: Record<string, unknown>; mistakes: FieldError[] }

/** Checks the names of a draft. Throws `invalid_request` when it is no JSON object. */
export function readDraft(schema: TSchema, json: unknown): Draft {
  const value = json === undefined ? {} : json
  const mistakes = unknownFields(schema, value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem('invalid_request', { errors: mistakes })
  }
  return { fields: value as Record<string, unknown>, mistakes }
}

/** Accepts only this media type, because a foreign page can send forms without a preflight. */
function isJson(header: string | null): boolean {
  if (header === 'application/json') return true
  const [type = '', ...parameters] = (header ?? '').toLowerCase().split(';')
  const named = parameters.map((part) => part.trim()).filter((part) => part !== '')
  if (type.trim() !== 'application/json') return false
  return named.every((part) => /^charset="?utf-8"?$/.test(part))
}

async function readWhole(
  request: Request,
  { length, bytesMax }: { length: string; bytesMax: number },
): Promise<string> {
  if (!(Number(length) <= bytesMax)) throw tooLarge(bytesMax)
  const text = await request.text()
  if (text.length > bytesMax) throw tooLarge(bytesMax)
  return text
}

/** Reads a body without Content-Length, up to the greatest length. */
async function readChunks({ body }: Request, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > bytesMax) throw tooLarge(bytesMax)
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

function readValue(type: string | undefined, text: string): unknown {
  if (type === 'number' && /^\d{1,15}$/.test(text)) return Number(text)
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

type Mistake = { type: number; path: string; schema: TSchema }

function mistakesOf(found: Iterable<Mistake>): FieldError[] {
  const mistakes = new Map<string, FieldError>()
  for (const { type, path, schema } of found) {
    const field = fieldName(path)
    if (!mistakes.has(field)) mistakes.set(field, { field, reason: reasonFor(type, schema) })
    if (mistakes.size === 32) break
  }
  return [...mistakes.values()]
}

/** A field name of the caller's text: cut, and without unsafe characters. */
function fieldName(path: string): string {
  const name = path.slice(1).replaceAll('/', '.').replaceAll('~1', '/').replaceAll('~0', '~')
  return name === '' ? 'body' : name.slice(0, 80).replace(/[^\x20-\x7e]/g, '?')
}

const missing = 45
const unexpected = 42

function reasonFor(type: number, schema: TSchema): string {
  if (type === missing) return 'is missing'
  if (type === unexpected) return 'is not a known field'
  return schema['reason'] ?? `must be ${expectation(schema)}`
}

function expectation(schema: TSchema): string {
  const { type, minimum, maximum, minLength, maxLength } = schema
  if (type === 'number') return `a whole number from ${minimum} to ${maximum}`
  if (type === 'boolean') return 'true or false'
  if (type === 'object') return 'a JSON object'
  return maxLength === undefined
    ? 'a string'
    : `a string of ${minLength ?? 0} to ${maxLength} characters`
}

/** The unknown fields of a body; the values are checked by the domain. */
function unknownFields(schema: TSchema, value: unknown, path = ''): FieldError[] {
  const fields = propertiesOf(schema)
  if (!fields || value === undefined) return []
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ field: path || 'body', reason: 'must be a JSON object' }]
  }
  return Object.entries(value).flatMap(([name, inner]) => {
    const place = path ? `${path}.${name}` : name
    const known = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (!known) return [{ field: fieldName(`/${place}`), reason: 'is not a known field' }]
    return unknownFields(known, inner, place)
  })
}

/** The fields of an object, or of every alternative of one. */
function propertiesOf(schema: TSchema): Record<string, TSchema> | undefined {
  const choices: TSchema[] | undefined = schema['anyOf']
  if (!choices) return schema['properties']
  const all = choices.map(propertiesOf).filter((each) => each !== undefined)
  return all.length === 0 ? undefined : Object.assign({}, ...all)
}
