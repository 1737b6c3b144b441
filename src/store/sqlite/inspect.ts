import { Database } from 'bun:sqlite'
import { schemaVersion } from './database.ts'

export type Inspected = { ok: true } | { ok: false; fault: string }

/** Whether a file is a sound database of OtpMint that this executable can read; changes nothing. */
export function inspectDatabase(path: string): Inspected {
  let database: Database
  try {
    database = new Database(path, { readonly: true, strict: true })
  } catch {
    return { ok: false, fault: 'it cannot be opened' }
  }
  try {
    const check = database.query<{ quick_check: string }, []>('pragma quick_check').all()
    if (check[0]?.quick_check !== 'ok') return { ok: false, fault: 'it is damaged' }
    const { stored, known } = schemaVersion(database)
    if (stored > known) {
      const fault = `it has schema ${stored}, this executable knows ${known}: use a newer otpmint`
      return { ok: false, fault }
    }
    const keyset = database.query("select 1 from facts where name = 'keyset'").get()
    return keyset ? { ok: true } : { ok: false, fault: 'it is no database of OtpMint' }
  } catch {
    return { ok: false, fault: 'it is no database of OtpMint' }
  } finally {
    database.close(true)
  }
}
