import { hex } from '../hex.ts'

/** Bytes as the text that PostgreSQL reads as `bytea`, for JSON. */
export function bytea(value: Uint8Array): string {
  return `\\x${hex(value)}`
}
