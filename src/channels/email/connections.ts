import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import type { MailNetwork } from './dial.ts'
import type { MailServer } from './mail-job.ts'
import { idleMs, openSession, type Session } from './session.ts'

/** The idle connections of every endpoint. */
export type Connections = {
  /** Takes an open one, the latest used first; null when there is none. */
  take(server: MailServer): Session | null
  open(server: MailServer, signal: AbortSignal): Promise<Session>
  /** Keeps a session for the next mail, after a reset where its last exchange failed. */
  keep(server: MailServer): (session: Session) => void
  /** The outcome of the same login that was refused in the last minute; null when it may be tried. */
  loginRefused(server: MailServer): DeliveryOutcome | null
  /** Stops connecting for a minute, or until the settings change. */
  refuseLogin(server: MailServer, outcome: DeliveryOutcome): void
  close(): void
}

type Endpoint = {
  /** The destination of the connections, with the login and password, without a token. */
  destination: string
  appVersion: number
  idle: { session: Session; cancelClose: () => void }[]
  /** The last refused login, with its password or token. */
  refused: { until: number; credential: string | null; outcome: DeliveryOutcome } | null
}

const endpointsMax = 1_000
const loginPauseMs = 60_000

export function createConnections(network: MailNetwork & { connectionsMax: number }): Connections {
  const { timers, connectionsMax } = network
  const endpoints = new Map<string, Endpoint>()
  const all = new Set<Session>()
  let isClosed = false

  const drop = (id: string) => {
    for (const { session, cancelClose } of endpoints.get(id)?.idle ?? []) {
      cancelClose()
      all.delete(session)
      session.quit()
    }
    endpoints.delete(id)
  }
  /** Null for settings that are older than those in use. */
  const endpointOf = (server: MailServer): Endpoint | null => {
    const { endpointId, appVersion } = server
    const destination = destinationOf(server)
    const known = endpoints.get(endpointId)
    if (known?.destination === destination) return known
    if (known && known.appVersion > appVersion) return null
    drop(endpointId)
    const endpoint: Endpoint = { destination, appVersion, idle: [], refused: null }
    endpoints.set(endpointId, endpoint)
    const [oldest] = endpoints.keys()
    if (endpoints.size > endpointsMax && oldest !== undefined) drop(oldest)
    return endpoint
  }
  const makeRoom = () => {
    for (const endpoint of endpoints.values()) {
      if (all.size < connectionsMax) return
      const session = takeFrom(endpoint, all, 'oldest')
      if (!session) continue
      all.delete(session)
      session.quit()
    }
  }
  const keepOne = (server: MailServer, session: Session) => {
    const endpoint = session.isOpen() ? endpointOf(server) : null
    if (!endpoint || !all.has(session)) {
      all.delete(session)
      session.close()
      return
    }
    const cancelClose = timers.after(idleMs, () => {
      endpoint.idle = endpoint.idle.filter((kept) => kept.session !== session)
      all.delete(session)
      session.quit()
    })
    endpoint.idle.push({ session, cancelClose })
  }
  return {
    take(server) {
      const endpoint = endpointOf(server)
      return endpoint && takeFrom(endpoint, all, 'latest')
    },
    async open(server, signal) {
      makeRoom()
      const session = await openSession(server, network, signal)
      if (isClosed) session.close()
      else all.add(session)
      return session
    },
    keep: (server) => (session) => {
      if (session.isClean() || !session.isOpen()) return keepOne(server, session)
      void session.reset().then(() => keepOne(server, session))
    },
    loginRefused(server) {
      const refused = endpointOf(server)?.refused
      const isSame = refused && refused.credential === server.credential
      return isSame && timers.monotonic() < refused.until ? refused.outcome : null
    },
    refuseLogin(server, outcome) {
      const endpoint = endpointOf(server)
      const until = timers.monotonic() + loginPauseMs
      if (endpoint) endpoint.refused = { until, credential: server.credential, outcome }
    },
    close() {
      isClosed = true
      for (const { idle } of endpoints.values()) {
        for (const { cancelClose } of idle) cancelClose()
      }
      for (const session of all) session.close()
      all.clear()
      endpoints.clear()
    },
  }
}

/** Takes an idle session that is still open; drops the closed ones. */
function takeFrom(
  { idle }: Endpoint,
  all: Set<Session>,
  which: 'oldest' | 'latest',
): Session | null {
  for (;;) {
    const kept = which === 'oldest' ? idle.shift() : idle.pop()
    if (!kept) return null
    kept.cancelClose()
    if (kept.session.isOpen()) return kept.session
    all.delete(kept.session)
  }
}

function destinationOf({ settings, credential, registeredBy }: MailServer): string {
  const { host, port, security, user, ca, auth } = settings
  // A connection stays logged in after its token has ended.
  const password = auth === 'password' ? credential : null
  return JSON.stringify([host, port, security, user, ca, auth, password, registeredBy])
}
