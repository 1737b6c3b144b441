import type { App } from './app.ts'
import { type MailInput, type MailNames, readMailSettings } from './mail-settings.ts'
import {
  type Actor,
  draftApp,
  entry,
  type ManagePorts,
  refuseIfAny,
  sealPassword,
} from './manage-apps.ts'
import type { Ports } from './ports.ts'
import { type FieldError, Problem } from './problem.ts'
import type { NewApp } from './stores.ts'

export type Registration = {
  secretKey: unknown
  mail: MailInput
  names: MailNames
  /** False when the operator's token came along: any mail server will do. */
  publicOnly: boolean
}

/**
 * The original API's registration: an app that is found by a secretKey of the caller's choosing.
 * Throws `invalid_request` with every mistake, `host_not_public`, `secret_key_taken`.
 */
export async function registerOpenly(
  ports: ManagePorts & Pick<Ports, 'egress'>,
  actor: Actor,
  { secretKey, mail, names, publicOnly }: Registration,
): Promise<App> {
  const draft = draftApp(ports)
  const mistakes: FieldError[] = []
  const key = readSecretKey(secretKey)
  if (key === null) {
    const reason = 'must be 8 to 256 characters without control characters'
    mistakes.push({ field: 'secretKey', reason })
  }
  const now = draft.createdAt
  const settings = readMailSettings({
    input: mail,
    names,
    current: null,
    publicOnly,
    now,
    mistakes,
  })
  refuseIfAny(mistakes)
  if (key === null || settings === null) throw new Problem('invalid_request')
  if (publicOnly && (await ports.egress.reach(settings.endpoint.host)) !== 'public') {
    throw new Problem('host_not_public')
  }

  const { from, fromName } = settings.endpoint
  const name = fromName ?? from.slice(from.lastIndexOf('@') + 1).slice(0, 64)
  const email = sealPassword(ports, draft, settings, null)
  const created: NewApp = {
    app: { ...draft, name, email },
    keys: [],
    secretKeyIndex: ports.keyring.secretKeyIndex(key),
  }
  const audit = entry(ports, actor, 'app.register', draft.id, `name ${name}`)
  const outcome = await ports.apps.create(created, audit)
  if (outcome === 'secret_key_taken') throw new Problem('secret_key_taken')
  return created.app
}

/** A secretKey that may be registered or looked up; null for any other. */
export function readSecretKey(value: unknown): string | null {
  if (typeof value !== 'string' || value.length < 8 || value.length > 256) return null
  return /[\p{Cc}\p{Cs}]/u.test(value) ? null : value
}
