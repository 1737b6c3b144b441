import { chmodSync, writeFileSync } from 'node:fs'
import { newApiKey } from '../domain/api-key.ts'
import { hashKey } from '../domain/authenticate.ts'
import type { Log, Ports } from '../domain/ports.ts'
import type { DataDirectory } from './data-directory.ts'

const fact = 'admin_token_hash'

/**
 * SHA-256 of the admin token: of the one in the settings, else of the one that the first start
 * made. That one is shown once: to a person at the terminal, else in a file, so that it stands in
 * no log.
 */
export async function adminTokenHash(
  { records, random }: Pick<Ports, 'records' | 'random'>,
  options: { token: string | null; directory: DataDirectory; log: Log; tell: Tell | null },
): Promise<Uint8Array> {
  const { token, directory, log, tell } = options
  if (token !== null) return hashKey(token)
  const known = await records.readFact(fact)
  if (known) return known

  const made = newApiKey(random, 'admin')
  const hash = hashKey(made)
  if (tell) {
    tell(`Your admin token, shown this once (store it now):\n\n  ${made}\n`)
  } else {
    writeFileSync(directory.adminToken, `${made}\n`, { mode: 0o600 })
    chmodSync(directory.adminToken, 0o600)
    log.info('admin_token_generated', {
      path: directory.adminToken,
      detail: 'store the token elsewhere and delete this file',
    })
  }
  // After it was told: a token that nobody has seen must not become the valid one.
  await records.writeFacts({ [fact]: hash })
  return hash
}

/** Plain words to a person at the terminal. */
export type Tell = (text: string) => void
