import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dnsServer } from '../support/dns.ts'
import { freePort } from '../support/port.ts'

/** The sender that the stub DNS knows: SPF and DMARC pass, and the names of its address agree. */
const sender = { ip: '203.0.113.25', host: 'mail.acme.test', domain: 'acme.test' }

// rspamd waits for five seconds where a host has no IPv6 address.
const ip6 = '2001:db8::25'

const zone = {
  [`a ${sender.domain}`]: [sender.ip],
  [`aaaa ${sender.domain}`]: [ip6],
  [`mx ${sender.domain}`]: [`10 ${sender.host}`],
  [`txt ${sender.domain}`]: [`v=spf1 ip4:${sender.ip} -all`],
  [`txt _dmarc.${sender.domain}`]: ['v=DMARC1; p=reject'],
  [`a ${sender.host}`]: [sender.ip],
  [`aaaa ${sender.host}`]: [ip6],
  [`ptr ${sender.ip.split('.').reverse().join('.')}.in-addr.arpa`]: [sender.host],
}

/** The score, and the rules that were not 0. */
export type Verdict = { score: number; rules: Record<string, number> }

export type Rspamd = { judge(raw: string): Promise<Verdict>; close(): Promise<void> }

/**
 * Starts rspamd with the rules that Debian's package has, as a receiver sees an authenticated
 * sender. Services of other hosts are off: lists of addresses, checksums and neighbours.
 */
export async function startRspamd(): Promise<Rspamd> {
  const dns = await dnsServer(zone)
  const folder = mkdtempSync(join(tmpdir(), 'otpmint-rspamd-'))
  const port = freePort()
  configure(folder, { port, dnsPort: dns.port })
  const isRoot = process.getuid?.() === 0
  const variables = Object.entries({
    LOCAL_CONFDIR: folder,
    DBDIR: join(folder, 'db'),
    RUNDIR: join(folder, 'db'),
    LOGDIR: join(folder, 'db'),
  })
  const child = Bun.spawn(
    [
      ...['rspamd', '--no-fork', '--config', '/etc/rspamd/rspamd.conf'],
      ...(isRoot ? ['--user', '_rspamd', '--group', '_rspamd'] : []),
      ...variables.map(([name, value]) => `--var=${name}=${value}`),
    ],
    { stdout: 'ignore', stderr: 'ignore' },
  )
  const log = () => readFileSync(join(folder, 'db/rspamd.log'), 'utf8').slice(-4_000)
  await answering(port, child, log)
  return {
    judge: (raw) => judge(port, raw),
    async close() {
      child.kill('SIGTERM')
      await child.exited
      await dns.close()
      rmSync(folder, { recursive: true })
    },
  }
}

const others = [
  'asn',
  'dcc',
  'fuzzy_check',
  'mx_check',
  'phishing',
  'rbl',
  'rspamd_update',
  'surbl',
]

function configure(folder: string, { port, dnsPort }: { port: number; dnsPort: number }): void {
  for (const name of ['db', 'local.d', 'override.d']) mkdirSync(join(folder, name))
  const override = (name: string, text: string) => {
    writeFileSync(join(folder, 'override.d', name), text)
  }
  override('worker-normal.inc', `bind_socket = "127.0.0.1:${port}"; count = 1;`)
  for (const name of ['controller', 'proxy', 'fuzzy']) {
    override(`worker-${name}.inc`, 'enabled = false; count = -1;')
  }
  override(
    'options.inc',
    `dns { nameserver = ["127.0.0.1:${dnsPort}:1"]; } disable_monitoring = true;`,
  )
  for (const name of others) override(`${name}.conf`, 'enabled = false;')
  if (process.getuid?.() === 0) {
    const [, uid, gid] =
      /^_rspamd:[^:]*:(\d+):(\d+)/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? []
    for (const path of [folder, join(folder, 'db')]) chownSync(path, Number(uid), Number(gid))
  }
}

async function judge(port: number, raw: string): Promise<Verdict> {
  const headers = {
    ip: sender.ip,
    helo: sender.host,
    hostname: sender.host,
    from: `codes@${sender.domain}`,
    rcpt: 'ada@example.com',
  }
  const answer = await fetch(`http://127.0.0.1:${port}/checkv2`, {
    method: 'POST',
    headers,
    body: Buffer.from(raw, 'latin1'),
  })
  const { score, symbols } = (await answer.json()) as {
    score: number
    symbols: Record<string, { score: number }>
  }
  const rules = Object.entries(symbols).map(([name, symbol]) => [name, symbol.score] as const)
  return { score, rules: Object.fromEntries(rules.filter(([, points]) => points !== 0)) }
}

async function answering(port: number, child: Bun.Subprocess, log: () => string): Promise<void> {
  const endAt = performance.now() + 60_000
  while (performance.now() < endAt && child.exitCode === null) {
    const ping = await fetch(`http://127.0.0.1:${port}/ping`).catch(() => null)
    if (ping?.ok) return
    await Bun.sleep(100)
  }
  child.kill('SIGKILL')
  throw new Error(`rspamd did not start (${child.exitCode}): ${log()}`)
}
