/** Exit statuses: 78, EX_CONFIG of sysexits.h, for wrong settings; 1 for any other failure. */
export const exits = { failed: 1, settings: 78 } as const

/**
 * Why the server or a command cannot start, as sentences for the admin that say what to do. Thrown
 * by keys/, config/ and the runtime, and caught once, in cli/run.ts.
 */
export class StartupError extends Error {
  readonly exitCode: number
  readonly reasons: string[]

  constructor(exitCode: number, reasons: string[], options?: ErrorOptions) {
    super(reasons.join('; '), options)
    this.name = 'StartupError'
    this.exitCode = exitCode
    this.reasons = reasons
  }
}

/** The error for wrong settings, keys or files of the admin: 78. */
export function settingsAreWrong(...reasons: string[]): StartupError {
  return new StartupError(exits.settings, reasons)
}

/** The error for any other reason: 1. */
export function cannotStart(...reasons: string[]): StartupError {
  return new StartupError(exits.failed, reasons)
}
