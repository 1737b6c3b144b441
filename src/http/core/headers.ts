import { invalidField } from '../../domain/problem.ts'

const waitMaxSeconds = 30

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
