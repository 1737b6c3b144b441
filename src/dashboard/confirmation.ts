import { signal } from '@preact/signals'

/** The open question for the password; null while there is none. */
export const question = signal<{ answer(isConfirmed: boolean): void } | null>(null)

let open: Promise<boolean> | null = null

/** Asks for the password; calls that need it at the same time share one dialog. */
export function confirmed(): Promise<boolean> {
  open ??= new Promise<boolean>((resolve) => {
    question.value = {
      answer: (isConfirmed) => {
        question.value = null
        open = null
        resolve(isConfirmed)
      },
    }
  })
  return open
}
