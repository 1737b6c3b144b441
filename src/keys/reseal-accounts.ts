import { resealSecondStep } from '../domain/account/second-step.ts'
import type { Ports } from '../domain/ports.ts'
import { createKeyring } from './keyring.ts'
import type { Keyset } from './keyset.ts'

/**
 * Seals the second steps of accounts with new data keys, while the former ones still open. One that
 * does not open is of no use and removed, so that its owner needs the password only.
 */
export async function resealAccounts(
  { accounts, random }: Pick<Ports, 'accounts' | 'random'>,
  keyset: Keyset,
): Promise<void> {
  const keyring = createKeyring(keyset, random)
  for (const { id: accountId, secondStep } of await accounts.list()) {
    if (!secondStep || secondStep.key.keyId === keyset.currentId) continue
    const to = resealed(keyring, accountId, secondStep)
    await accounts.resealSecondStep({ accountId, from: secondStep.sealed, to })
  }
}

function resealed(...given: Parameters<typeof resealSecondStep>) {
  try {
    const { key, sealed } = resealSecondStep(...given)
    return { keyId: key.keyId, key: key.bytes, sealed }
  } catch {
    return null
  }
}
