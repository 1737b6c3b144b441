import { exits } from '../startup-error.ts'

/** The world as a command sees it; main.ts builds the real one, tests their own. */
export type Io = {
  out(text: string): void
  err(text: string): void
  env: Record<string, string | undefined>
  pid: number
  /** Which of the three streams are terminals. */
  terminal: { input: boolean; output: boolean; errors: boolean }
  /** All of standard input, at most 64 KiB. */
  readInput(): Promise<string>
  /** One line asked for at the terminal without echo; null when it was given up. */
  askSecret(question: string): Promise<string | null>
  /** Calls back on every stop signal until the returned function is called. */
  onStopSignal(stop: () => void): () => void
  /** Lines of the log that were dropped because nobody took them. */
  lostLines(): number
}

/** The exit statuses of `otpmint`. */
export const exitCodes = { done: 0, usage: 2, ...exits } as const
