import type { App } from '../domain/app/app.ts'
import type { Keyring } from '../domain/keyring.ts'
import type { Ports } from '../domain/ports.ts'
import { type Binding, chatPlace } from '../domain/telegram/binding.ts'
import type { BindingRenewal } from '../domain/telegram/store.ts'
import { createKeyring } from './keyring.ts'
import type { Keyset } from './keyset.ts'

const batchSize = 500

/**
 * Seals the chats of bindings with the new data keys of their apps, while these still open what the
 * former ones sealed. A binding that does not open, or whose app is gone, is of no use and removed.
 */
export async function resealBindings(
  { apps, bindings, random }: Pick<Ports, 'apps' | 'bindings' | 'random'>,
  keyset: Keyset,
): Promise<void> {
  const keyring = createKeyring(keyset, random)
  for (;;) {
    const found = await bindings.sealedOtherwise(keyset.currentId, batchSize)
    const renewals: BindingRenewal[] = []
    for (const binding of found) {
      const app = await apps.get(binding.appId)
      // An app that has no new data key yet has one before the rotation ends.
      if (app && app.dataKey.keyId !== keyset.currentId) continue
      renewals.push(renewal(keyring, app, { binding, keyId: keyset.currentId }))
    }
    if (renewals.length === 0) return
    await bindings.reseal(renewals)
  }
}

function renewal(
  keyring: Keyring,
  app: App | null,
  { binding, keyId }: { binding: Binding; keyId: string },
): BindingRenewal {
  const { id, appId, chatSealed } = binding
  const from = chatSealed ?? new Uint8Array(0)
  return { id, appId, from, to: app && resealed(keyring, app, id, from), keyId }
}

function resealed(keyring: Keyring, { id: appId, dataKey }: App, id: string, from: Uint8Array) {
  try {
    const place = chatPlace(id)
    return keyring.seal(appId, dataKey, place, keyring.open(appId, dataKey, place, from))
  } catch {
    return null
  }
}
