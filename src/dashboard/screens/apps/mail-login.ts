import type { EndpointField } from '../../wire.ts'
import type { Typed } from './values.ts'

/** The choice of a login that the wire has as `user: null`. */
export const noLogin = 'no_login'

/** What each login asks for. */
const asked: Record<string, readonly string[]> = {
  [noLogin]: [],
  password: ['user', 'password'],
  google: ['user', 'client_id', 'client_secret', 'refresh_token'],
  google_service_account: ['user', 'service_account'],
  microsoft: ['user', 'tenant', 'client_id', 'client_secret', 'refresh_token'],
  microsoft_app: ['user', 'tenant', 'client_id', 'client_secret'],
}
const anyLogin = new Set(Object.values(asked).flat())

/** The fields of a mail server that the chosen login has, with “no login” among the logins. */
export function mailFields(fields: readonly EndpointField[], typed: Typed): EndpointField[] {
  const wanted = asked[typed['auth'] || 'password'] ?? []
  return fields
    .filter(({ name }) => !anyLogin.has(name) || wanted.includes(name))
    .map((field) => {
      if (field.name !== 'auth') return field
      return { ...field, of: [...(field.of ?? []), noLogin], usual: 'password' }
    })
}
