import type { Endpoint } from '../../wire.ts'

/** What is neither the settings nor a fact of every endpoint is the object of its kind. */
const common = new Set(['id', 'channel', 'rank', 'off', 'created_at', 'updated_at'])

export function kindOf(endpoint: Endpoint): string {
  return Object.keys(endpoint).find((name) => !common.has(name)) ?? ''
}

/** The settings of an endpoint without its secrets, which the server never shows. */
export function settingsOf(endpoint: Endpoint): Record<string, unknown> {
  const all: Record<string, unknown> = endpoint
  return (all[kindOf(endpoint)] ?? {}) as Record<string, unknown>
}

/** What an admin knows an endpoint by: its server, its sender or its account. */
export function endpointName(endpoint: Endpoint): string {
  const settings = settingsOf(endpoint)
  const { host, port, url, from, sender, region, phone_number_id: number, base_url: bot } = settings
  if (host) return `${host}:${port}`
  const name = url ?? from ?? sender ?? number ?? region ?? bot
  return typeof name === 'string' ? name : kindOf(endpoint)
}
