import { now } from './system.ts'

const awayMs = 60_000
const signs = ['keydown', 'pointerdown', 'pointermove', 'wheel', 'touchstart'] as const

let seenAt = now()

/** Notices when the reader does something. */
export function watchReader(): void {
  for (const sign of signs) {
    addEventListener(
      sign,
      () => {
        seenAt = now()
      },
      { passive: true, capture: true },
    )
  }
}

/** Whether the reader has done something in the last minute. */
export function isReaderThere(): boolean {
  return now() - seenAt < awayMs
}
