import { codeOf } from '../keys/key-file.ts'
import { settingsAreWrong } from '../startup-error.ts'

type Address = { host: string; port: number }

/** Listens; throws `StartupError` that names the setting to change. */
export function listenOn<Server>(
  { host, port }: Address,
  settingNames: string,
  listen: (address: { hostname: string; port: number }) => Server,
): Server {
  try {
    return listen({ hostname: host, port })
  } catch (error) {
    const code = codeOf(error)
    const reason = reasons[code] ?? `cannot be listened on (${code})`
    throw settingsAreWrong(`${authority({ host, port })} ${reason}: set ${settingNames}`)
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
