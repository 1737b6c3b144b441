import type { DnsFinding } from './ports.ts'

/** The result of one check of an installation. */
export type Finding = {
  check: string
  status: 'ok' | 'warning' | 'failed'
  detail: string
  /** What to do; null where nothing is to be done. */
  next: string | null
  /** A record to put into the DNS. */
  record?: DnsFinding['record']
}

/** The disk of the data directory. */
export type Disk = { freeBytes: number; totalBytes: number }
