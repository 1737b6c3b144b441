import { expect, test } from 'bun:test'
import { createPhoneChannel } from '../../src/channels/phone/phone.ts'
import { withTurns } from '../../src/channels/turns.ts'
import { createWebhookChannel } from '../../src/channels/webhook.ts'
import { type Endpoint, sealSecret } from '../../src/domain/app/endpoint.ts'
import type { HttpOut, HttpRequest } from '../../src/domain/http-out.ts'
import type { Channel } from '../../src/domain/ports.ts'
import { systemClock, systemTimers } from '../../src/system.ts'
import { appWith, handoverOf, keyring } from './mail-fixtures.ts'
import { twilioAccount } from './phone/fixture.ts'

const pace = { connectionsMax: null, ratePerMinute: null, cost: null }
const webhookSettings = { ...pace, url: 'https://gateway.test/', formerUntil: null }
const secret = { secret: `whsec_${Buffer.alloc(32, 1).toString('base64')}` }

type Ports = Parameters<typeof createPhoneChannel>[0]
const channels: [string, (ports: Ports) => Channel, Endpoint['settings'], object][] = [
  ['a webhook', createWebhookChannel, { ...webhookSettings, kind: 'webhook' }, secret],
  ['a gateway', createPhoneChannel, twilioAccount.settings, twilioAccount.secrets],
]

test.each(channels)(
  '%s looks at the lease of a message that waited for its turn',
  async (...row) => {
    const [, create, settings, secrets] = row
    const requests: HttpRequest[] = []
    const httpOut: HttpOut = async (request) => {
      requests.push(request)
      return { fault: 'timeout', isSent: false }
    }
    const ports = { keyring, clock: systemClock, timers: systemTimers, httpOut, publicUrl: null }
    const app = appWith()
    const place = { id: 'endpoint-1', settings }
    const sealing = { secret: { set: JSON.stringify(secrets) }, current: null }
    const endpoint = {
      ...{
        ...place,
        appId: app.id,
        channel: 'sms',
        rank: 1,
        off: null,
        createdAt: 0,
        updatedAt: 0,
      },
      secretSealed: sealSecret({ keyring }, app, place, sealing),
    } as Endpoint
    const lease = { sureUntil: 0, isHeld: async () => false }
    const { signal } = new AbortController()
    const now = systemClock.now()
    const handover = { ...handoverOf(app), createdAt: now, expiresAt: now + 600_000, endpoint }

    const queued = await withTurns(create(ports), ports).queue?.(handover, {
      width: 1,
      signal,
      lease,
    })

    expect(queued?.outcome).toMatchObject({ status: 'deferred', ambiguous: false })
    expect(requests.map((request) => request.lease)).toEqual([lease])
  },
)
