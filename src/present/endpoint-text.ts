import type { Endpoint } from '../domain/app/endpoint.ts'

/** Where an endpoint leads, in one line. */
export function endpointText({ settings }: Endpoint): string {
  if (settings.kind === 'email') return `${settings.host}:${settings.port} (${settings.security})`
  if (settings.kind === 'webhook') return settings.url
  if (settings.kind === 'telegram') return `a bot at ${settings.baseUrl}`
  // Of a gateway that is always the same one, its sender or the account.
  const sender = ['from', 'senderId', 'sender', 'phoneNumberId'].map((name) => {
    return (settings as Record<string, unknown>)[name]
  })
  return [settings.kind, ...sender.filter((name) => typeof name === 'string')].join(' ')
}
