/** Why something did not start: sentences for the operator, and what the process exits with. */
export type Refusal = { ok: false; exitCode: number; reasons: string[] }

export const exits = { failed: 1, settings: 78 } as const

export function refusal(exitCode: number, ...reasons: string[]): Refusal {
  return { ok: false, exitCode, reasons }
}

export function refused<Value extends { ok: true }>(value: Value | Refusal): value is Refusal {
  return !value.ok
}
