import { createPhones } from '../../src/channels/phones.ts'
import { type App, endpointsOf } from '../../src/domain/app/app.ts'
import type { Handover } from '../../src/domain/delivery/delivery.ts'
import type { Ports } from '../../src/domain/ports.ts'
import { defaultSettings } from '../../src/domain/settings.ts'
import type { Stores } from '../../src/domain/stores.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { resendVerification } from '../../src/domain/verification/resend.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { addApp } from '../support/world.ts'

type Keyring = Ports['keyring']

/** Starts and checks a verification through the domain, under a keyring that can be changed. */
export async function live(
  base: Stores & Pick<Ports, 'clock' | 'timers' | 'random'>,
  first: Keyring,
) {
  const offered: Handover[] = []
  const outbox: Ports['outbox'] = {
    expectedWaitMs: () => 0,
    reserve: () => true,
    release: () => {},
    offer: (_, handover) => void offered.push(handover),
    wake: () => {},
    withdraw: () => {},
    settled: async () => null,
  }
  let keyring = first
  const phones = createPhones()
  const ports = () => ({
    ...base,
    phones,
    learned: { of: () => null },
    outbox,
    node: 'local',
    settings: defaultSettings,
    keyring,
  })
  const { app: made } = await addApp(ports())
  let id = ''
  const code = () => offered[0]?.code ?? ''
  const app = async (): Promise<App> => {
    const found = await base.apps.get(made.id)
    if (!found || endpointsOf(found, 'email').length === 0) throw new Error('the app is gone')
    return found
  }
  return {
    code,
    use(next: Keyring) {
      keyring = next
    },
    async start() {
      const request = { app: await app(), mode: 'live', startedBy: 'v1', to: 'a@b.test' } as const
      const { verification } = await startVerification(ports(), request)
      id = verification.id
    },
    async resentCode(): Promise<string | undefined> {
      await resendVerification(ports(), { app: await app(), mode: 'live', id })
      return offered.at(-1)?.code
    },
    async check(type: (right: string) => string): Promise<boolean> {
      const typed = type(code())
      const key = { appId: made.id, mode: 'live', id } as const
      const { valid } = await checkVerification(ports(), { ...key, code: typed })
      return valid
    },
  }
}
