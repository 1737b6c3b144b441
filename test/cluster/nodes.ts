import { join } from 'node:path'
import { createApp } from '../e2e/client.ts'
import { type Balancer, startHaproxy } from '../postgres/haproxy.ts'
import { type Environment, eventually, type Server, start } from '../support/executable.ts'
import { freePort } from '../support/port.ts'

/** Several nodes over one database, behind HAProxy, which asks each at /readyz. */
export type Nodes = {
  /** The URL of HAProxy. */
  base: string
  /** The nodes that were started last, each of which can be asked by itself. */
  list: Server[]
  token: string
  /** Starts the node again that has this number, after it has ended. */
  restart(number: number): Promise<void>
  /** Adds an app that sends by a plain mail server on this machine. */
  createApp(options: Parameters<typeof createApp>[2]): ReturnType<typeof createApp>
  stop(): Promise<void>
}

export type NodesOptions = {
  folder: string
  url: string
  /** The URL past PgBouncer. */
  directUrl?: string
  count?: number
  env?: Environment
}

export async function startNodes(options: NodesOptions): Promise<Nodes> {
  const { folder, url, directUrl, count = 3, env = {} } = options
  const token = 'admin-token-of-a-cluster-0123456789'
  const masterKey = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
  const ports = Array.from({ length: count }, freePort)
  const startOne = (number: number) =>
    start(['serve'], {
      OTPMINT_DATABASE_URL: url,
      ...(directUrl !== undefined && { OTPMINT_DATABASE_DIRECT_URL: directUrl }),
      OTPMINT_MASTER_KEY: masterKey,
      OTPMINT_ADMIN_TOKEN: token,
      OTPMINT_DATA_DIR: join(folder, `node${number}`),
      OTPMINT_PORT: String(ports[number]),
      OTPMINT_TRUSTED_PROXIES: '127.0.0.1',
      ...env,
    })
  const list = await Promise.all(ports.map((_, number) => startOne(number)))
  const balancer: Balancer = await startHaproxy({
    mode: 'http',
    servers: ports.map((port) => ({ port })),
    check: 'GET /readyz',
  })
  const base = `http://127.0.0.1:${balancer.port}`
  await eventually(async () => (await fetch(`${base}/healthz`).catch(() => null))?.ok === true)
  return {
    ...{ base, list, token },
    async restart(number) {
      list[number] = await startOne(number)
    },
    createApp: (app) => createApp({ base }, token, app),
    async stop() {
      await Promise.all(list.map((node) => node.stop()))
      await balancer.stop()
    },
  }
}
