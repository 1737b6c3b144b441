import { type Signal, useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { asRefusal, get, type Refusal, withQuery } from '../api.ts'
import { now } from '../system.ts'
import { frameWords } from '../words/frame.ts'
import { Button } from './button.tsx'
import { Problem } from './notice.tsx'

export type Resource<Value> = {
  /** Null until it is there, and after a failure. */
  value: Value | null
  refusal: Refusal | null
  reload(): void
  /** Loads again unless that is under way, so that a slow answer is shown and not overtaken. */
  refresh(): void
  /** Puts what a change answered in the place of what was loaded. */
  set(value: Value): void
}

/** An answer that takes longer, in ms, is not waited for: its connection may be lost. */
const answerMaxMs = 10_000

/** Loads what a path answers; again when the path changes. Null loads nothing. */
export function useLoaded<Value>(path: string | null): Resource<Value> {
  const state = useSignal<{ path: string | null; value: Value | null; refusal: Refusal | null }>({
    path: null,
    value: null,
    refusal: null,
  })
  const round = useSignal(0)
  /** When the load began that is under way. */
  const since = useRef<number | null>(null)
  useEffect(() => {
    since.current = now()
    return load(path, state, () => {
      since.current = null
    })
  }, [path, round.value])
  // What another path answered is not shown under this one.
  const { value, refusal } =
    state.value.path === path ? state.value : { value: null, refusal: null }
  return {
    value,
    refusal,
    reload: () => {
      round.value++
    },
    refresh: () => {
      const isWaiting = since.current !== null && now() - since.current < answerMaxMs
      if (!isWaiting) round.value++
    },
    set: (value) => {
      state.value = { path, value, refusal: null }
    },
  }
}

/** Starts to load; the returned function forgets the answer. */
function load<Value>(
  path: string | null,
  state: Signal<{ path: string | null; value: Value | null; refusal: Refusal | null }>,
  onEnd: () => void,
): () => void {
  let isWanted = true
  const end = (found: { value: Value | null; refusal: Refusal | null }) => {
    if (!isWanted) return
    onEnd()
    state.value = { path, ...found }
  }
  if (path !== null) {
    get<Value>(path).then(
      (value) => end({ value, refusal: null }),
      (error) => end({ value: null, refusal: asRefusal(error) }),
    )
  }
  return () => {
    isWanted = false
  }
}

/** Shows what was loaded; before that a line, after a failure what was wrong. */
export function Loaded<Value>({
  from,
  children,
}: {
  from: Resource<Value>
  children(value: Value): ComponentChildren
}) {
  if (from.value !== null) return <>{children(from.value)}</>
  if (from.refusal) {
    return (
      <Problem refusal={from.refusal}>
        <Button onClick={from.reload}>{frameWords().retry}</Button>
      </Problem>
    )
  }
  return <Loading />
}

export function Loading() {
  return (
    <p class="loading" role="status">
      {frameWords().loading}
    </p>
  )
}

export type PageOf<Item> = { items: Item[]; next_cursor: string | null }

const pageRows = 50

/** One page of a list at a time, by cursor, so that the document never holds the whole list. */
export function usePages<Item>(
  path: string | null,
  query: Record<string, string | null | undefined> = {},
  limit = pageRows,
) {
  const base = path === null ? null : withQuery(path, { ...query, limit })
  // The cursors of this page and those before it; the first page has none.
  const trail = useSignal<{ base: string | null; cursors: string[] }>({ base, cursors: [] })
  const cursors = trail.value.base === base ? trail.value.cursors : []
  const cursor = cursors.at(-1)
  const full =
    path === null ? null : withQuery(path, { ...query, limit, ...(cursor && { cursor }) })
  const resource = useLoaded<PageOf<Item>>(full)
  const next = resource.value?.next_cursor ?? null
  return {
    ...resource,
    number: cursors.length + 1,
    previous:
      cursors.length === 0
        ? null
        : () => {
            trail.value = { base, cursors: cursors.slice(0, -1) }
          },
    next:
      next === null
        ? null
        : () => {
            trail.value = { base, cursors: [...cursors, next] }
          },
  }
}

/** The buttons below a list; nothing where there is one page only. */
export function Pager({
  of: { number, previous, next },
}: {
  of: { number: number; previous: (() => void) | null; next: (() => void) | null }
}) {
  const words = frameWords()
  if (!previous && !next) return null
  return (
    <div class="pager">
      <Button disabled={!previous} onClick={previous ?? undefined}>
        {words.previous}
      </Button>
      <span role="status">{words.page(number)}</span>
      <Button disabled={!next} onClick={next ?? undefined}>
        {words.next}
      </Button>
    </div>
  )
}
