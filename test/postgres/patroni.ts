import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { eventually } from '../support/executable.ts'
import { freePort } from '../support/port.ts'
import { startHaproxy } from './haproxy.ts'
import { answering, bin, type Program, type Programs, programs, treeOf } from './programs.ts'
import { createRoles, type Role } from './server.ts'

/** Two PostgreSQL servers that Patroni keeps, one of them a synchronous standby, behind HAProxy. */
export type PatroniCluster = {
  /** The URL of a database on whichever is the primary, by way of HAProxy. */
  url(database: string, role?: Role): string
  port: number
  primary(): Promise<Member>
  members: Member[]
  /** What both Patronis have said lately. */
  said(): string
  /** Waits until there are a primary and a synchronous standby. */
  untilRedundant(): Promise<void>
  stop(): Promise<void>
}

export type Member = {
  name: string
  port: number
  url(database: string, role?: Role): string
  patroni(): Program
  /** Kills PostgreSQL, every process of it, with SIGKILL. */
  killPostgres(): void
  /** Kills Patroni and PostgreSQL with SIGKILL: the machine is gone. */
  killAll(): void
  startPatroni(): void
}

/** Seconds: how long the leader's lock lasts, and between two looks. */
export const patroniTtl = 6
const loopWait = 1

/** Starts etcd, two Patronis and HAProxy, and makes the roles of `server.ts`; takes about 10 s. */
export async function startPatroniCluster(): Promise<PatroniCluster> {
  const all = programs('patroni')
  const etcd = await startEtcd(all)
  const members = [startMember(all, 'pg1', etcd), startMember(all, 'pg2', etcd)]
  const balancer = await startHaproxy({
    mode: 'tcp',
    servers: members.map(({ port, restPort }) => ({ port, checkPort: restPort })),
    check: 'OPTIONS /primary',
  })
  const look = () => clusterOf(members)
  const cluster: PatroniCluster = {
    ...{ members, port: balancer.port },
    url: (database, role = 'postgres') =>
      `postgres://${role}@127.0.0.1:${balancer.port}/${database}`,
    async primary() {
      const leader = (await look()).find(({ role }) => role === 'leader')?.name
      const member = members.find(({ name }) => name === leader)
      if (!member) throw new Error('there is no primary')
      return member
    },
    said: () => members.map(({ patroni }) => patroni().output().slice(-4000)).join('\n\n'),
    untilRedundant: () =>
      eventually(async () => {
        const states = (await look()).map(({ role, state }) => `${role} ${state}`).sort()
        return states.join() === 'leader running,sync_standby running'
      }, 60_000),
    async stop() {
      await balancer.stop()
      for (const { killAll } of members) killAll()
      await all.stop()
    },
  }
  await cluster.untilRedundant()
  const admin = new SQL({ url: (await cluster.primary()).url('postgres'), max: 1 })
  await createRoles(admin)
  await admin.close()
  return cluster
}

async function startEtcd(all: Programs): Promise<number> {
  const [client, peer] = [freePort(), freePort()]
  const url = (port: number) => `http://127.0.0.1:${port}`
  const etcd = all.start('etcd', [
    'etcd',
    ...['--data-dir', join(all.folder, 'etcd'), '--name', 'one'],
    ...['--listen-client-urls', url(client), '--advertise-client-urls', url(client)],
    ...['--listen-peer-urls', url(peer), '--initial-advertise-peer-urls', url(peer)],
    ...['--initial-cluster', `one=${url(peer)}`],
    ...['--heartbeat-interval', '100', '--election-timeout', '1000'],
  ])
  await answering(etcd, () => isWell(`${url(client)}/health`))
  return client
}

function startMember(all: Programs, name: string, etcd: number): Member & { restPort: number } {
  const [port, restPort] = [freePort(), freePort()]
  const data = join(all.folder, name)
  const config = join(all.folder, `${name}.json`)
  // JSON is YAML too.
  const settings = patroniSettings({ name, port, restPort, etcd, data, folder: all.folder })
  writeFileSync(config, JSON.stringify(settings))
  // Its first line asks for Debian's Python, whatever comes first in PATH.
  const boot = () => all.start(`patroni-${name}`, ['/usr/bin/patroni', config])
  let patroni = boot()
  const killPostgres = () => {
    for (const pid of processesOf(data)) kill(pid)
  }
  return {
    ...{ name, port, restPort, killPostgres },
    url: (database, role = 'postgres') => `postgres://${role}@127.0.0.1:${port}/${database}`,
    patroni: () => patroni,
    killAll() {
      patroni.signal('SIGKILL')
      killPostgres()
    },
    startPatroni() {
      patroni = boot()
    },
  }
}

type Settings = {
  name: string
  port: number
  restPort: number
  etcd: number
  data: string
  folder: string
}

function patroniSettings({ name, port, restPort, etcd, data, folder }: Settings) {
  const at = (to: number) => `127.0.0.1:${to}`
  const trusted = ['local all all trust', 'host all all 127.0.0.1/32 trust']
  return {
    scope: 'otpmint',
    name,
    restapi: { listen: at(restPort), connect_address: at(restPort) },
    etcd3: { host: at(etcd) },
    bootstrap: {
      dcs: {
        ttl: patroniTtl,
        loop_wait: loopWait,
        retry_timeout: 3,
        // Whatever lag there was, a synchronous standby has all that was acknowledged.
        maximum_lag_on_failover: 1_048_576,
        synchronous_mode: true,
        primary_start_timeout: 0,
        postgresql: { use_pg_rewind: true, use_slots: true },
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }, { auth: 'trust' }],
      pg_hba: [...trusted, 'host replication all 127.0.0.1/32 trust'],
    },
    postgresql: {
      listen: at(port),
      connect_address: at(port),
      data_dir: data,
      bin_dir: bin,
      pgpass: join(folder, `${name}.pgpass`),
      authentication: {
        superuser: { username: 'postgres' },
        replication: { username: 'replicator' },
        rewind: { username: 'rewinder' },
      },
      parameters: { unix_socket_directories: folder, max_connections: 200 },
    },
    watchdog: { mode: 'off' },
  }
}

type MemberState = { name: string; role: string; state: string }

/** The members as Patroni sees them; none while no Patroni answers. */
async function clusterOf(members: { restPort: number }[]): Promise<MemberState[]> {
  for (const { restPort } of members) {
    const answer = await fetch(`http://127.0.0.1:${restPort}/cluster`).catch(() => null)
    if (answer?.ok) return ((await answer.json()) as { members: MemberState[] }).members
  }
  return []
}

async function isWell(url: string): Promise<boolean> {
  return (await fetch(url).catch(() => null))?.ok === true
}

/** The postmaster of a data directory, which is no child of Patroni, and its children. */
function processesOf(data: string): number[] {
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return []
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
  return treeOf(pid)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
