import { describedApp } from '../../domain/app/manage.ts'
import { policyEffect } from '../../domain/app/policy-effect.ts'
import { channels } from '../../domain/delivery/channel.ts'
import { collected } from '../../domain/problem.ts'
import { readRecipient } from '../../domain/verification/recipient.ts'
import { presentFields, presentPolicyEffect } from '../../present/fields.ts'
import type { Reply } from '../core/api.ts'
import { json } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import { testSeconds } from './endpoints.ts'
import { policyInput, settingsInput } from './input.ts'

export function list({ settings }: RoutePorts): Reply {
  return json(presentFields(settings))
}

export function judgePolicy(
  { settings }: RoutePorts,
  { draft: { fields, mistakes } }: { draft: Draft },
): Reply {
  const input = policyInput(fields['policy']) ?? {}
  return json(presentPolicyEffect(policyEffect(settings, { input, mistakes })))
}

/** The name in the message of an app that has none yet. */
const unnamed = 'OtpMint'

export async function testMailServer(
  ports: RoutePorts,
  { draft: { fields, mistakes }, patience }: AdminCall & { draft: Draft },
): Promise<Reply> {
  const { name = unnamed, email, to } = fields
  const { takes } = channels.email
  const recipient = to === undefined ? null : collected(mistakes, () => readRecipient(takes, to))
  const settings = settingsInput('email', email, mistakes) ?? {}
  const app = describedApp(ports, { name, email: settings, mistakes })
  const [endpoint] = app.endpoints
  patience(testSeconds)
  const message = recipient && { recipient, locale: null, variables: null }
  return json(endpoint && (await ports.testDelivery(app, endpoint, message)))
}
