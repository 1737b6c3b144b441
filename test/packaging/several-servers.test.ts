import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { optionList } from '../../src/config/options.ts'
import { originalRoutes } from '../../src/http/original/routes.ts'
import { healthRoutes } from '../../src/http/service/routes.ts'
import { v1Routes } from '../../src/http/v1/routes.ts'
import { stopMaxMs } from '../../src/runtime.ts'

/*
 * What deploy/ says of several servers agrees with the executable. Neither Docker nor Kubernetes runs
 * here: these tests read the files.
 */
const project = join(import.meta.dir, '../..')
const read = (path: string) => readFileSync(join(project, path), 'utf8')

type Dict = Record<string, unknown>
type Probe = { httpGet: { path: string; port: string } }
type Container = {
  args: string[]
  env: { name: string; value: string }[]
  securityContext: Dict
  volumeMounts: { name: string; mountPath: string }[]
  ports?: { name: string; containerPort: number }[]
  lifecycle?: { preStop: { sleep: { seconds: number } } }
  [probe: `${string}Probe`]: Probe
}
type Pod = {
  enableServiceLinks: boolean
  automountServiceAccountToken: boolean
  securityContext: Dict
  terminationGracePeriodSeconds?: number
  containers: Container[]
  volumes: { name: string; secret?: { secretName: string } }[]
}
type Manifest = {
  kind: string
  metadata: { name: string }
  stringData?: Record<string, string>
  spec: { replicas?: number; selector: Dict; template: { metadata: Dict; spec: Pod } } & Dict
}
type Service = {
  image?: string
  command?: string[]
  environment?: Record<string, string>
  secrets?: string[]
  stop_grace_period?: string
  healthcheck?: { test: string[] }
}

const compose = Bun.YAML.parse(read('deploy/compose.yaml')) as {
  services: Record<string, Service>
  secrets: Record<string, { file: string }>
}
const manifests = Bun.YAML.parse(read('deploy/kubernetes.yaml')) as Manifest[]
const haproxy = read('deploy/haproxy.cfg')
const unit = read('deploy/otpmint.service')

const services = Object.entries(compose.services)
const nodes = services.filter(([name]) => /^node\d$/.test(name)).map(([, node]) => node)
const [deployment] = ofKind('Deployment')
const pods = manifests.filter(({ kind }) => ['Job', 'Deployment'].includes(kind))

test('every setting that a file of deploy/ names exists', () => {
  const known = new Set<string>(optionList.map(([name]) => name))
  const named = readdirSync(join(project, 'deploy')).flatMap((file) => {
    const names = read(`deploy/${file}`).match(/\bOTPMINT_[A-Z_]+\b/g) ?? []
    return names.map((name) => `${file}: ${name}`)
  })

  expect(named.length).toBeGreaterThan(20)
  // Of these Kubernetes would make it one.
  expect(named.filter((entry) => !known.has(entry.split(': ')[1] ?? ''))).toEqual([])
})

test('probes and health checks ask routes that exist: readiness /readyz, liveness /healthz', () => {
  const paths = healthRoutes.map(({ path }) => path)
  const [container] = deployment?.spec.template.spec.containers ?? []
  const asked = {
    readiness: container?.['readinessProbe']?.httpGet,
    liveness: container?.['livenessProbe']?.httpGet,
    startup: container?.['startupProbe']?.httpGet,
  }

  expect(asked.readiness?.path).toBe('/readyz')
  expect(asked.liveness?.path).toBe('/healthz')
  for (const probe of Object.values(asked)) {
    expect(paths).toContain(probe?.path ?? '')
    expect(container?.ports?.map(({ name }) => name)).toContain(probe?.port ?? '')
  }
  const [, checked = ''] = /^ {2}option httpchk GET (\S+)$/m.exec(haproxy) ?? []
  expect(checked).toBe('/readyz')
  for (const { healthcheck } of nodes) {
    expect(healthcheck?.test).toEqual(['CMD', '/otpmint', 'healthcheck'])
  }
})

test('every stop has more time than the setting and the bound of a stop together', () => {
  const [, byDefault] = optionList.find(([name]) => name === 'OTPMINT_SHUTDOWN_SECONDS') ?? []
  const boundOf = (given: string | undefined) =>
    Number(given ?? byDefault?.default) + stopMaxMs / 1000

  for (const { stop_grace_period, environment } of nodes) {
    const bound = boundOf(environment?.['OTPMINT_SHUTDOWN_SECONDS'])
    expect(Number.parseInt(stop_grace_period ?? '', 10)).toBeGreaterThan(bound)
  }
  const pod = deployment?.spec.template.spec
  const [container] = pod?.containers ?? []
  const given = container?.env.find(({ name }) => name === 'OTPMINT_SHUTDOWN_SECONDS')?.value
  const before = container?.lifecycle?.preStop.sleep.seconds ?? Number.NaN
  expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan(before + boundOf(given))
  const [, inUnit] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? []
  expect(Number(inUnit)).toBeGreaterThan(boundOf(undefined))
  const guide = read('docs/deployment.md')
  const inGuide = [...guide.matchAll(/(?:--stop-timeout |stop_grace_period: )(\d+)/g)]
  expect(inGuide.length).toBe(2)
  for (const [, seconds] of inGuide) expect(Number(seconds)).toBeGreaterThan(boundOf(undefined))
})

test('there are three nodes that are alike, behind a proxy that knows each', () => {
  const [first, ...others] = nodes
  const names = services.map(([name]) => name).filter((name) => name.startsWith('node'))
  const behind = [...haproxy.matchAll(/^ {2}server (\S+) (\S+):5000$/gm)]

  expect(others).toEqual([first, first] as typeof others)
  expect(behind.map(([, name, host]) => [name, host])).toEqual(names.map((name) => [name, name]))
  expect(deployment?.spec.replicas).toBe(3)
  expect(ofKind('PodDisruptionBudget')[0]?.spec).toEqual({
    maxUnavailable: 1,
    selector: deployment?.spec.selector,
  } as never)
})

test('secrets are files: each that a container names is mounted, and none is a value', () => {
  for (const [, { environment = {}, secrets = [] }] of services) {
    const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'))
    for (const [, path] of files) expect(secrets).toContain(path.replace('/run/secrets/', ''))
    for (const secret of secrets) expect(Object.keys(compose.secrets)).toContain(secret)
  }
  for (const { spec } of pods) {
    const { containers, volumes } = spec.template.spec
    const secret = volumes.find(({ name }) => name === 'secrets')?.secret?.secretName
    const held = ofKind('Secret').find(({ metadata }) => metadata.name === secret)?.stringData ?? {}
    for (const { name, value } of containers[0]?.env ?? []) {
      if (name.endsWith('_FILE'))
        expect(Object.keys(held)).toContain(value.replace('/run/otpmint/', ''))
    }
  }
  const bare = ['OTPMINT_DATABASE_URL', 'OTPMINT_MASTER_KEY', 'OTPMINT_ADMIN_TOKEN']
  const given = [
    ...services.flatMap(([, { environment = {} }]) => Object.keys(environment)),
    ...pods.flatMap(({ spec }) => spec.template.spec.containers[0]?.env.map(({ name }) => name)),
  ]
  expect(given.filter((name) => bare.includes(name ?? ''))).toEqual([])
  expect(Object.keys(ofKind('Secret')[0]?.stringData ?? {})).toContain('master_key')
})

test('a pod has the rights of the unit: none, and no settings of Kubernetes among its own', () => {
  expect(pods.length).toBe(2)
  for (const { spec } of pods) {
    const { securityContext, containers, ...pod } = spec.template.spec
    // Kubernetes would set OTPMINT_SERVICE_HOST, and a start refuses a setting that it does not know.
    expect(pod.enableServiceLinks).toBe(false)
    expect(pod.automountServiceAccountToken).toBe(false)
    expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65_532 })
    expect(containers[0]?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  }
})

test('HAProxy keeps exactly the routes of the admin from other addresses', () => {
  const lists = [...haproxy.matchAll(/^ {2}acl of_admin path_beg -i (.*)$/gm)]
  const prefixes = lists.flatMap(([, paths = '']) => paths.split(' '))
  const isKept = (path: string) => prefixes.some((prefix) => path.startsWith(prefix))
  const v1 = v1Routes.map(({ path, caller }) => ({ path, isOfAdmin: caller === 'admin' }))

  expect(v1.filter(({ isOfAdmin }) => isOfAdmin).length).toBeGreaterThan(20)
  expect(v1.filter(({ path, isOfAdmin }) => isKept(path) !== isOfAdmin)).toEqual([])
  expect(originalRoutes.map(({ path }) => path).filter(isKept)).toEqual(['/reg_secretkey'])
})

test('the proxies of docs/deployment.md keep the same paths from who is not the admin', () => {
  const guide = read('docs/deployment.md')
  const [, nginx = ''] = /^ {2}location ~ (\S+) \{$/m.exec(guide) ?? []
  const caddy = [...guide.matchAll(/^ {4}path (.*)$/gm)].flatMap(([, paths = '']) => {
    return paths.split(' ').map((path) => path.replace('*', ''))
  })
  const kept = [
    (path: string) => new RegExp(nginx).test(path),
    (path: string) => caddy.some((prefix) => path.startsWith(prefix)),
  ]

  for (const isKept of kept) {
    const wrong = v1Routes.filter(({ path, caller }) => isKept(path) !== (caller === 'admin'))
    expect(wrong.map(({ path }) => path)).toEqual([])
    expect(originalRoutes.map(({ path }) => path).filter(isKept)).toEqual(['/reg_secretkey'])
  }
})

test('HAProxy accepts deploy/haproxy.cfg, and refuses a word that it does not know', () => {
  const check = (text: string) => {
    const program = ['/usr/sbin/haproxy', '-c', '-f', '/dev/stdin']
    return Bun.spawnSync(program, { stdin: new Blob([text]) }).exitCode
  }
  expect(check(haproxy)).toBe(0)
  expect(check(haproxy.replace('redispatch', 'redispach'))).toBe(1)
})

test('PgBouncer runs in transaction mode and comes back a second after a fail-over', () => {
  const ini = read('deploy/pgbouncer.ini')
  const guide = read('docs/postgresql.md')

  for (const line of [
    'pool_mode = transaction',
    'default_pool_size = 20',
    'server_login_retry = 1',
  ]) {
    expect(ini.split('\n')).toContain(line)
    expect(guide).toContain(`\n${line}`)
  }
})

test('Patroni is set up with a synchronous standby, as docs/postgresql.md asks', () => {
  const { bootstrap } = Bun.YAML.parse(read('deploy/patroni.yaml')) as {
    bootstrap: { dcs: Dict & { postgresql: Dict } }
  }
  expect(bootstrap.dcs['synchronous_mode']).toBe(true)
  expect(bootstrap.dcs.postgresql['use_pg_rewind']).toBe(true)
})

function ofKind(kind: string): Manifest[] {
  return manifests.filter((manifest) => manifest.kind === kind)
}
