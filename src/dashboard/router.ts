import { signal } from '@preact/signals'

/** The screen that is shown, as the fragment of the address says. */
export type Place = { path: string; query: URLSearchParams }

export const place = signal<Place>(read())

/** Follows the address, also where the reader goes back. */
export function followAddress(): void {
  addEventListener('hashchange', () => {
    place.value = read()
  })
}

/** Goes to a path like `/apps/new`; `replace` leaves no entry in the history. */
export function go(path: string, { replace = false } = {}): void {
  if (replace) location.replace(`#${path}`)
  else location.hash = path
}

/** What a link to a path has as its `href`. */
export function href(path: string): string {
  return `#${path}`
}

/** The values of `:name` in a pattern; null where the path is another. */
export function matched(pattern: string, path: string): Record<string, string> | null {
  const parts = path.split('/')
  const names = pattern.split('/')
  if (parts.length !== names.length) return null
  const values: Record<string, string> = {}
  for (const [at, name] of names.entries()) {
    const part = parts[at] ?? ''
    if (name.startsWith(':') && part !== '') values[name.slice(1)] = decoded(part)
    else if (name !== part) return null
  }
  return values
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function read(): Place {
  const [path = '', query = ''] = location.hash.slice(1).split('?')
  return { path: path === '' ? '/' : path, query: new URLSearchParams(query) }
}
