import { hashKey, newApiKey } from '../domain/app/api-key.ts'
import type { Log } from '../domain/ports.ts'
import { codeOf, writeKeyFile } from '../keys/key-file.ts'
import { settingsAreWrong } from '../startup-error.ts'
import type { OpenPorts } from './open.ts'

const fact = 'admin_token_hash'

/**
 * SHA-256 of the admin token: of the one in the settings, else of the one that the first start
 * made. That one is shown once at a terminal, or else written to a file, and never to a log.
 */
export async function adminTokenHash(
  { meta, random, directory }: Pick<OpenPorts, 'meta' | 'random' | 'directory'>,
  { token, log, tell }: { token: string | null; log: Log; tell: Tell | null },
): Promise<Uint8Array> {
  if (token !== null) return hashKey(token)
  const known = await meta.read(fact)
  if (known) return known

  const made = newApiKey(random, 'admin')
  const hash = hashKey(made)
  if (tell) {
    tell(`Your admin token, shown this once (store it now):\n\n  ${made}\n`)
  } else {
    const path = directory.adminToken
    try {
      writeKeyFile(path, made)
    } catch (error) {
      throw settingsAreWrong(`the admin token cannot be written to ${path} (${codeOf(error)})`)
    }
    const detail = 'store the token elsewhere and delete this file'
    log.info('admin_token_generated', { path, detail })
  }
  // After it was shown or is on disk, because a token that nobody has seen must not become valid.
  await meta.write({ [fact]: hash })
  return hash
}

/** Prints text for a person at the terminal. */
export type Tell = (text: string) => void
