/** The world as a command sees it; main.ts builds the real one, tests their own. */
export type Io = {
  out(text: string): void
  err(text: string): void
  env: Record<string, string | undefined>
  pid: number
  /** Which of the three streams a person sits at. */
  terminal: { input: boolean; output: boolean; errors: boolean }
  /** All of standard input, at most 64 KiB. */
  readInput(): Promise<string>
  /** One line asked for at the terminal without echo; null when it was given up. */
  askSecret(question: string): Promise<string | null>
  /** Calls back on every SIGTERM and SIGINT until the returned function is called. */
  onStopSignal(stop: () => void): () => void
}

/** What `run` answers and the process exits with; 78 is EX_CONFIG of sysexits.h. */
export const exitCodes = { done: 0, failed: 1, wrongWords: 2, wrongSettings: 78 } as const
