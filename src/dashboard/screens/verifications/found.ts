import { useSignal } from '@preact/signals'
import { asRefusal, post, type Refusal } from '../../api.ts'
import type { PageOf } from '../../parts/loaded.tsx'
import type { Verification } from '../../wire.ts'

type Asked = { app: string; mode: string; status: string; to: string }
type Search = Asked & {
  /** Of this page and those before it; the first page has none. */
  cursors: string[]
  page: PageOf<Verification> | null
  refusal: Refusal | null
}

/** How many rows a page has. */
const limit = 50

/**
 * The verifications of one address, page by page. The address is sent in a body and kept in memory only,
 * so that it is in no log and in no history.
 */
export function useFound() {
  const search = useSignal<Search | null>(null)

  async function load(asked: Asked, cursors: string[]): Promise<void> {
    const begun = { ...asked, cursors, page: null, refusal: null }
    search.value = begun
    const { app, mode, status, to } = asked
    const cursor = cursors.at(-1)
    const body = { to, mode, limit, ...(status && { status }), ...(cursor && { cursor }) }
    const outcome = await post<PageOf<Verification>>(`/v1/apps/${app}/verifications/search`, body)
      .then((page) => ({ page }))
      .catch((error) => ({ refusal: asRefusal(error) }))
    // Another search may have been begun meanwhile.
    if (search.value === begun) search.value = { ...begun, ...outcome }
  }

  const { cursors = [], page = null } = search.value ?? {}
  const next = page?.next_cursor ?? null
  return {
    value: search.value,
    begin: (asked: Asked) => load(asked, []),
    end: () => {
      search.value = null
    },
    pages: {
      number: cursors.length + 1,
      previous: step(cursors.length > 0, () => cursors.slice(0, -1)),
      next: step(next !== null, () => [...cursors, next ?? '']),
    },
  }

  function step(isPossible: boolean, cursorsThen: () => string[]): (() => void) | null {
    const asked = search.value
    return isPossible && asked ? () => void load(asked, cursorsThen()) : null
  }
}
