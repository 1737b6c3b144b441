import { useSignal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { asRefusal, type Refusal } from '../api.ts'
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
    mistake: (field: string): string | undefined => refusal.value?.fields[field],
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
  const others = Object.entries(refusal?.fields ?? {}).filter(([field]) => !shows.includes(field))
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
          {others.length > 0 && (
            <ul>
              {others.map(([field, reason]) => (
                <li key={field}>
                  <code>{field}</code> {reason}
                </li>
              ))}
            </ul>
          )}
        </Problem>
      )}
      <div class="buttons">{buttons}</div>
    </form>
  )
}
