import { invalidField } from './problem.ts'

/** Epoch ms of a time like 2026-11-22T09:00:00Z. Throws `invalid_request` naming `field`. */
export function readTime(field: string, text: string): number {
  const isTime = /^[12]\d{3}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/.test(text)
  const time = isTime ? Date.parse(text) : Number.NaN
  // The 31st of February is read as a day in March.
  if (Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== text.slice(0, 10)) {
    throw invalidField(field, 'must be a UTC time like 2026-11-22T09:00:00Z')
  }
  return time
}
