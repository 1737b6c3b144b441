import type { MailInput } from '../domain/mail-settings.ts'
import {
  type AppFields,
  createApp,
  deleteApp,
  newKey,
  revokeKey,
  updateApp,
} from '../domain/manage-apps.ts'
import { type PolicyInput, policyRules } from '../domain/policy.ts'
import { Problem } from '../domain/problem.ts'
import { readRecipient } from '../domain/recipient.ts'
import * as docs from './app-docs.ts'
import * as keyDocs from './key-docs.ts'
import type { HttpPorts } from './ports.ts'
import { presentApp, presentKey } from './present.ts'
import { json, noContent } from './reply.ts'
import type { Route, RouteMakers } from './route.ts'

/** `/v1/apps`, for the operator: apps, their policies, mail servers and keys. */
export function appRoutes(routes: RouteMakers, ports: HttpPorts): Route[] {
  return [
    routes.operator({
      ...docs.create,
      method: 'POST',
      path: '/v1/apps',
      handle: async ({ actor, draft }) => {
        const { app, keys, liveKey, testKey } = await createApp(ports, actor, fieldsOf(draft))
        const secrets = { live_key: liveKey, test_key: testKey }
        return json({ ...presentApp(app), ...secrets, keys: keys.map(presentKey) }, 201)
      },
    }),
    routes.operator({
      ...docs.list,
      method: 'GET',
      path: '/v1/apps',
      handle: async ({ query: { limit = 20, cursor = null } }) => {
        const page = await ports.apps.list({ limit, cursor })
        return json({ items: page.items.map(presentApp), next_cursor: page.nextCursor })
      },
    }),
    routes.operator({
      ...docs.read,
      method: 'GET',
      path: '/v1/apps/:id',
      handle: async ({ params }) => {
        const app = await findApp(ports, params)
        const keys = await ports.apps.keys(app.id)
        return json({ ...presentApp(app), keys: keys.map(presentKey) })
      },
    }),
    routes.operator({
      ...docs.update,
      method: 'PATCH',
      path: '/v1/apps/:id',
      handle: async ({ actor, params, draft }) => {
        const id = params['id'] ?? ''
        return json(presentApp(await updateApp(ports, actor, { id, ...fieldsOf(draft) })))
      },
    }),
    routes.operator({
      ...docs.remove,
      method: 'DELETE',
      path: '/v1/apps/:id',
      handle: async ({ actor, params }) => {
        await deleteApp(ports, actor, params['id'] ?? '')
        return noContent
      },
    }),
    routes.operator({
      ...keyDocs.createKey,
      method: 'POST',
      path: '/v1/apps/:id/keys',
      handle: async ({ actor, params, body: { mode } }) => {
        const { key, text } = await newKey(ports, actor, { appId: params['id'] ?? '', mode })
        return json({ ...presentKey(key), key: text }, 201)
      },
    }),
    routes.operator({
      ...keyDocs.revoke,
      method: 'DELETE',
      path: '/v1/apps/:id/keys/:key_id',
      handle: async ({ actor, params }) => {
        const { id = '', key_id: keyId = '' } = params
        await revokeKey(ports, actor, { appId: id, keyId })
        return noContent
      },
    }),
    routes.operator({
      ...keyDocs.testDelivery,
      method: 'POST',
      path: '/v1/apps/:id/test-delivery',
      handle: async ({ params, body, patience }) => {
        const app = await findApp(ports, params)
        const recipient = readRecipient(body.to)
        if (!app.email) throw new Problem('channel_not_configured')
        patience(60)
        return json(await ports.testDelivery(app, recipient))
      },
    }),
  ]
}

async function findApp({ apps }: Pick<HttpPorts, 'apps'>, params: Record<string, string>) {
  const app = await apps.get(params['id'] ?? '')
  if (!app) throw new Problem('app_not_found')
  return app
}

type Draft = { fields: Record<string, unknown>; mistakes: NonNullable<AppFields['mistakes']> }

/** Wire names to the domain's; what is no object was noted as a mistake already. */
function fieldsOf({ fields, mistakes }: Draft): AppFields {
  const policy = asObject(fields['policy'])
  const email = fields['email'] === null ? null : asObject(fields['email'])
  return {
    name: fields['name'],
    policy: policy && policyInput(policy),
    email: email && mailInput(email),
    mistakes,
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined
}

function policyInput(fields: Record<string, unknown>): PolicyInput {
  const rules = Object.entries(policyRules)
  return Object.fromEntries(rules.map(([field, { wire }]) => [field, fields[wire]]))
}

function mailInput(fields: Record<string, unknown>): MailInput {
  const { host, port, security, user, password, from, from_name: fromName } = fields
  return { host, port, security, user, password, from, fromName }
}
