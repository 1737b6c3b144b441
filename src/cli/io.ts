import type { Dns } from '../domain/ports.ts'
import { exits } from '../startup-error.ts'

/** Input and output of a command; main.ts has the real ones, tests have others. */
export type Io = {
  out(text: string): void
  err(text: string): void
  env: Record<string, string | undefined>
  pid: number
  /** Which of the three streams are terminals. */
  terminal: { input: boolean; output: boolean; errors: boolean }
  /** All of standard input, at most 64 KiB. */
  readInput(): Promise<string>
  /** All of standard input as it is; null when it is longer. */
  readMessage(bytesMax: number): Promise<Uint8Array | null>
  /** Asks for one line at the terminal without echo; null when it was interrupted. */
  askSecret(question: string): Promise<string | null>
  /** Opens a file in the person's editor: whether it ended well. Absent without an editor. */
  edit?(path: string): Promise<boolean>
  /** Calls back on every stop signal until the returned function is called. */
  onStopSignal(stop: () => void): () => void
  /** The number of lost log lines. */
  lostLines(): number
  /** Replaces the DNS of the system; for tests. */
  dns?: Dns
}

/** The exit statuses of `otpmint`. */
export const exitCodes = { done: 0, usage: 2, ...exits } as const
