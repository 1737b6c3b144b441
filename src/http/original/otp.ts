import type { App } from '../../domain/app/app.ts'
import { readSecretKey } from '../../domain/app/register.ts'
import { openMessage } from '../../domain/delivery/handover.ts'
import { invalidField, Problem } from '../../domain/problem.ts'
import { cancelVerification } from '../../domain/verification/cancel.ts'
import { readRecipient } from '../../domain/verification/recipient.ts'
import { resendVerification } from '../../domain/verification/resend.ts'
import { startVerification } from '../../domain/verification/start.ts'
import {
  type Mode,
  statusOf,
  type VerificationKey,
} from '../../domain/verification/verification.ts'
import type { Context, Reply } from '../core/api.ts'
import type { ClientAddress } from '../core/client-ip.ts'
import { text } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'

/** How long `/otp` waits for the mail server, later tries included. */
const mailWaitMs = 20_000

export async function send(
  ports: RoutePorts,
  { client, patience, draft: { fields } }: Context & { draft: Draft },
): Promise<Reply> {
  const app = await findApp(ports, client(), fields['secretKey'])
  patience(mailWaitMs / 1000 + 5)
  return fields['shareableKey'] === undefined
    ? start(ports, app, fields['mail'])
    : resend(ports, app, fields)
}

async function findApp(
  { apps, keyring, guard }: RoutePorts,
  client: ClientAddress,
  secretKey: unknown,
): Promise<App> {
  if (typeof secretKey !== 'string') throw invalidField('secretKey', 'must be a string')
  const key = readSecretKey(secretKey)
  const app = await guard.judge(client, secretKey, async () => {
    return key === null ? null : apps.findBySecretKey(keyring.secretKeyIndex(key))
  })
  if (!app) throw new Problem('app_not_found', { detail: 'This secretKey is not registered' })
  return app
}

/** An app that was registered without a mail server keeps its mails in the inbox. */
function modeOf({ http }: Pick<RoutePorts, 'http'>, app: App): Mode {
  return http.developerMode && app.endpoints.length === 0 ? 'test' : 'live'
}

async function start(ports: RoutePorts, app: App, mail: unknown): Promise<Reply> {
  const mode = modeOf(ports, app)
  const mailed = { channel: 'email', to: mail, toField: 'mail' } as const
  const request = { app, mode, startedBy: 'original', ...mailed } as const
  const { outcome, verification } = await startVerification(ports, request)
  ports.metrics.count('otpmint_verifications_started_total', outcome)
  const refusal = await refusalOfMail(ports, verification.id, true)
  if (refusal === null) return text(verification.id)
  await stop(ports, { appId: app.id, mode, id: verification.id }, verification.createdAt)
  return text(refusal, 400)
}

/** Sends the same code again, to the address of its verification only. */
async function resend(
  ports: RoutePorts,
  app: App,
  { shareableKey: id, mail }: Record<string, unknown>,
): Promise<Reply> {
  if (typeof id !== 'string') throw invalidField('shareableKey', 'must be a string')
  const { address } = readRecipient(['email'], mail, 'mail')
  const mode = modeOf(ports, app)
  const key: VerificationKey = { appId: app.id, mode, id }
  const verification = await ports.verifications.get(key)
  const isLive = verification && statusOf(verification, ports.clock.now()) === 'pending'
  if (!isLive || verification.startedBy !== 'original') {
    throw new Problem('verification_not_found')
  }
  const { channel } = verification
  const opened = await openMessage(ports, { app, verification, channel })
  if (opened?.recipient.address !== address) {
    throw new Problem('verification_not_found')
  }
  await resendVerification(ports, { app, mode, id })
  // The first mail's code stays valid, so a mail that may still arrive is no error.
  const refusal = await refusalOfMail(ports, id, false)
  return refusal === null ? text(id) : text(refusal, 400)
}

/**
 * Waits for the mail, also for tries that are due within the wait: null once it was accepted, may
 * have been accepted, or is still on its way; else the error to answer. With `givesUp` a mail whose
 * next try is due later is also an error; it is not being handed over then, so that it can be
 * stopped.
 */
async function refusalOfMail(
  { outbox, clock }: Pick<RoutePorts, 'outbox' | 'clock'>,
  verificationId: string,
  givesUp: boolean,
): Promise<string | null> {
  const until = clock.now() + mailWaitMs
  const state = await outbox.settled(verificationId, mailWaitMs, ({ maybeTaken, nextAt }) => {
    return maybeTaken || nextAt === null || nextAt >= until
  })
  if (!state || state.maybeTaken || state.status === 'sent') return null
  if (state.status === 'queued') return null
  if (state.status === 'deferred' && !givesUp) return null
  return `Error: The mail was not sent: ${state.detail ?? 'the mail server did not take it'}`
}

/**
 * Cancels a code that was not delivered, so that no later try sends it: as of its start, because a
 * clock that jumped ahead meanwhile may be set back, and the code be valid again.
 */
async function stop(ports: RoutePorts, key: VerificationKey, startedAt: number): Promise<void> {
  try {
    await cancelVerification(ports, key, startedAt)
  } catch (error) {
    // It has ended meanwhile, so nothing is sent either.
    if (!(error instanceof Problem) || error.code === 'store_unavailable') throw error
  }
}
