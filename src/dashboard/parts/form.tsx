import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { asRefusal, type Refusal } from '../api.ts'
import { reasonText } from '../words/problems.ts'
import { Problem } from './notice.tsx'

/** What a form needs to send: whether it is under way, and what came back. */
export function useSending() {
  const busy = useSignal(false)
  const refusal = useSignal<Refusal | null>(null)

  async function send(work: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false
    busy.value = true
    refusal.value = null
    try {
      await work()
      return true
    } catch (error) {
      refusal.value = asRefusal(error)
      return false
    } finally {
      busy.value = false
    }
  }
  return {
    busy: busy.value,
    refusal: refusal.value,
    /** What the server says is wrong with a field. */
    mistake: (field: string): string | undefined => {
      const reason = refusal.value?.fields[field]
      return reason === undefined ? undefined : reasonText(reason)
    },
    send,
  }
}

export type Sending = ReturnType<typeof useSending>

/**
 * A form. What is wrong with fields that it does not show is listed above its buttons; `shows` are
 * the names of those that it does.
 */
export function Form({
  sending,
  onSubmit,
  children,
  buttons,
  shows = [],
}: {
  sending: Sending
  onSubmit(): void
  children: ComponentChildren
  buttons: ComponentChildren
  shows?: readonly string[]
}) {
  const { refusal } = sending
  const ref = useRef<HTMLFormElement>(null)
  useEffect(() => {
    if (refusal) ref.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus()
  }, [refusal])
  return (
    <form
      ref={ref}
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        onSubmit()
      }}
    >
      {children}
      {refusal && (
        <Problem refusal={refusal}>
          <Mistakes of={refusal} besides={shows} />
        </Problem>
      )}
      <div class="buttons">{buttons}</div>
    </form>
  )
}

/** What is wrong with the fields that are not shown. */
export function Mistakes({ of, besides = [] }: { of: Refusal; besides?: readonly string[] }) {
  const others = Object.entries(of.fields).filter(([field]) => !besides.includes(field))
  if (others.length === 0) return null
  return (
    <ul>
      {others.map(([field, reason]) => (
        <li key={field}>
          <code>{field}</code> {reasonText(reason)}
        </li>
      ))}
    </ul>
  )
}
