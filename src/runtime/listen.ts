import { codeOf } from './data-directory.ts'
import { exits, type Refusal, refusal } from './refusal.ts'

type Address = { host: string; port: number }

/** Listens, or says which setting is in the way. */
export function listenOn<Server>(
  { host, port }: Address,
  settingNames: string,
  listen: (address: { hostname: string; port: number }) => Server,
): { ok: true; server: Server } | Refusal {
  try {
    return { ok: true, server: listen({ hostname: host, port }) }
  } catch (error) {
    const code = codeOf(error)
    const reason = reasons[code] ?? `cannot be listened on (${code})`
    return refusal(exits.settings, `${authority({ host, port })} ${reason}: set ${settingNames}`)
  }
}

const reasons: Record<string, string> = {
  EADDRINUSE: 'is taken by another process',
  EACCES: 'needs a privilege that otpmint should not have',
  EADDRNOTAVAIL: 'is no address of this machine',
}

/** `127.0.0.1:5000`, `[::1]:5000`. */
export function authority({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
