import type { Settings } from '../config/load.ts'
import type { LogFields, Metrics } from '../domain/ports.ts'
import { Problem } from '../domain/problem.ts'
import type { Stores } from '../domain/stores.ts'
import type { createDashboard } from '../http/dashboard/server.ts'
import { createMetricsServer } from '../http/metrics-server.ts'
import type { createServer } from '../http/server.ts'
import { authority, listenOn } from './listen.ts'

type Elysian = ReturnType<typeof createServer> | ReturnType<typeof createDashboard>

type Servers = {
  server: Elysian
  dashboard: Elysian | null
  metrics: Pick<Metrics, 'render'>
  state: { linkBase: string | null }
  closeChannels(): void
}

/** Opens every listener; when one cannot be, those before it are closed. Throws `StartupError`. */
export function listen(settings: Settings, servers: Servers) {
  const {
    metricsListen,
    dashboard: { listen: dashboardListen, url: publicDashboard },
  } = settings
  const scrape = createMetricsServer(servers.metrics)
  const opened: { stop(now: boolean): Promise<void> }[] = []
  const open = <Server extends (typeof opened)[number]>(
    address: { host: string; port: number },
    setting: string,
    begin: (address: { hostname: string; port: number }) => Server,
  ): Server => {
    const server = listenOn(address, setting, begin)
    opened.push(server)
    return server
  }
  try {
    const metrics =
      metricsListen &&
      open(metricsListen, 'OTPMINT_METRICS_LISTEN (or "off")', (address) => scrape.listen(address))
    const dashboard =
      dashboardListen &&
      servers.dashboard &&
      open(dashboardListen, 'OTPMINT_DASHBOARD_LISTEN (or "off")', begin(servers.dashboard))
    const main = open(settings, 'OTPMINT_HOST and OTPMINT_PORT', begin(servers.server))
    const dashboardUrl = dashboard && (publicDashboard ?? urlOf(dashboardListen, dashboard))
    servers.state.linkBase = dashboardUrl
    return {
      ...{ main, dashboard, metrics, dashboardUrl },
      url: urlOf(settings, main),
      metricsUrl: metrics && `${urlOf(metricsListen, metrics)}/metrics`,
    }
  } catch (error) {
    for (const server of opened) void server.stop(true)
    servers.closeChannels()
    throw error
  }
}

function begin(elysian: Elysian) {
  return (address: { hostname: string; port: number }) => {
    elysian.listen(address)
    if (!elysian.server) throw new Error('no listener')
    return elysian.server
  }
}

/** With the port that was taken, where any was free to take. */
function urlOf(address: { host: string } | null, { port }: { port?: number | undefined }): string {
  return `http://${authority({ host: address?.host ?? '', port: port ?? 0 })}`
}

/**
 * What the log says of the dashboard: with the command that makes a first account, while there is none.
 * The server serves already, so it goes on where the store cannot tell.
 */
export async function dashboardLine(
  { accounts }: Pick<Stores, 'accounts'>,
  url: string,
): Promise<LogFields> {
  const known = await accounts.list().catch((error: unknown) => {
    if (error instanceof Problem) return null
    throw error
  })
  const isNew = known?.length === 0
  return isNew ? { url, detail: 'no account yet: "otpmint dashboard link" prints a link' } : { url }
}
