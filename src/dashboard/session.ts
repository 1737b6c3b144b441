import { computed, signal } from '@preact/signals'

export type Role = 'admin' | 'viewer'

/** Who is signed in, as `GET /session` answers. */
export type Session = {
  id: string
  account: { id: string; name: string; role: Role; has_second_step: boolean }
  idle_until: string
  expires_at: string
  confirmed_until: string | null
}

/** Undefined until the server was asked, null for nobody. */
export const session = signal<Session | null | undefined>(undefined)

/** Whether screens show what changes something. The server refuses whatever a screen shows. */
export const canChange = computed(() => session.value?.account.role === 'admin')

/** The session ended while its reader was at a page: the sign-in says so. */
export const isOver = signal(false)

/** Nobody is signed in any more, as the server says. */
export function endSession(): void {
  if (session.value) isOver.value = true
  session.value = null
}
