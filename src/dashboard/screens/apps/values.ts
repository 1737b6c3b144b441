import type { EndpointKind, PolicyField } from '../../wire.ts'
import { mailFields, noLogin } from './mail-login.ts'

/** What a form holds: every field as the text that was typed, by its name on the wire. */
export type Typed = Record<string, string>

type AnyField = Pick<PolicyField, 'name' | 'type'>

/** The text that a field of a form begins with. */
export function typedText({ type }: Pick<AnyField, 'type'>, value: unknown): string {
  if (value === null || value === undefined) return ''
  if (!Array.isArray(value)) return String(value)
  return value.join(type === 'texts' ? '\n' : ', ')
}

/** What was typed as the wire has it. A number that is none stays text, and the server refuses it. */
export function wireValue({ type }: Pick<AnyField, 'type'>, typed: string): unknown {
  const text = typed.trim()
  if (type === 'boolean') return text === 'true'
  if (type === 'integer') return asNumber(text)
  if (type === 'choice') return text
  if (type === 'integers') return itemsOf(text).map(asNumber)
  if (type === 'text') return typed
  if (type === 'texts') return text.split(/\s+/).filter(Boolean)
  return itemsOf(text)
}

/** A new endpoint: only what was typed, since empty fields are left to the server. */
export function newSettings({ kind, fields }: EndpointKind, typed: Typed) {
  const shown = kind === 'email' ? mailFields(fields, typed) : fields
  const given = shown.filter(({ name }) => (typed[name] ?? '') !== '')
  return onWire(given, typed)
}

/** What differs from before; a field that was emptied is null, a secret that is empty stays. */
export function changedFields(fields: readonly AnyField[], before: Typed, typed: Typed) {
  const changed = fields.filter(({ name }) => (typed[name] ?? '') !== (before[name] ?? ''))
  return onWire(changed, typed)
}

function onWire(fields: readonly AnyField[], typed: Typed): Record<string, unknown> {
  const entries = fields.map((field) => {
    const text = typed[field.name] ?? ''
    return [field.name, text === '' ? null : wireValue(field, text)]
  })
  const { auth, ...rest } = Object.fromEntries(entries)
  if (auth === noLogin) return { ...rest, user: null }
  return auth === undefined ? rest : { ...rest, auth: auth ?? 'password' }
}

function itemsOf(text: string): string[] {
  return text.split(/[\s,;]+/).filter(Boolean)
}

function asNumber(text: string): number | string {
  return /^-?\d+$/.test(text) ? Number(text) : text
}
