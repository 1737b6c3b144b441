import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { authenticate } from 'mailauth'
import { adminToken, call, type Json } from '../e2e/client.ts'
import { type Postfix, startPostfix } from '../e2e/postfix.ts'
import { resolverOf, type Zone } from '../support/dns.ts'
import { eventually, executable, finished, killAll, scratch, start } from '../support/executable.ts'
import { makeCertificate } from '../support/smtp.ts'
import { type Namespace, openNamespace } from './namespace.ts'

// The executable in a network of its own, with a name server and a real Postfix; what Postfix passes
// on is judged as the receiver would.

setDefaultTimeout(60_000)

const host = 'mail.acme.test'
/** The address that the mail seems to leave from. */
const ip = '203.0.113.25'
const certificate = makeCertificate([host])
const zone: Zone = {
  'mx acme.test': [`10 ${host}`],
  'txt acme.test': [`v=spf1 ip4:${ip} a:${host} -all`],
  'txt _dmarc.acme.test': ['v=DMARC1; p=reject'],
}
let namespace: Namespace
let postfix: Postfix
const { folder, remove } = scratch()
const dataDir = join(folder, 'data')

beforeAll(async () => {
  namespace = await openNamespace([host])
  postfix = await startPostfix(certificate, null)
  await namespace.lead(host, 25, postfix.port)
})
afterEach(killAll)
afterAll(async () => {
  await postfix?.close()
  await namespace?.close()
  certificate.remove()
  remove()
})

/** A running server inside, with an app that sends through Postfix. */
async function open() {
  const env = { OTPMINT_DATA_DIR: dataDir, NODE_EXTRA_CA_CERTS: certificate.caFile }
  const server = await start(['serve'], env, { through: namespace.through })
  const base = `http://127.0.0.1:${await namespace.reach(Number(new URL(server.base).port))}`
  const token = adminToken(dataDir)
  const admin = async (path: string, body?: unknown, method?: string) => {
    const { json, status, text } = await call(`${base}/v1/apps${path}`, body, {
      token,
      ...(method && { method }),
    })
    if (status >= 300) throw new Error(text)
    return json as Json & { items: Json[] }
  }
  const email = { host, port: 25, user: null, from: 'codes@acme.test' }
  const app = await admin('', { name: 'Acme', email })
  const send = async (to: string) => {
    const headers = { Prefer: 'wait=20' }
    const { json, text } = await call(
      `${base}/v1/verifications`,
      { to },
      { token: app.live_key ?? '', headers },
    )
    expect([json.delivery?.status, text]).toEqual(['sent', text])
    const arrived = () => postfix.arrived.find(({ recipients }) => recipients.includes(to))
    await eventually(() => arrived() !== undefined)
    return arrived()?.raw ?? ''
  }
  const command = (...argv: string[]) =>
    finished([...namespace.through, executable(), ...argv, '--data-dir', dataDir], {
      PATH: process.env['PATH'] ?? '',
      TMPDIR: folder,
    })
  return { id: app.id ?? '', admin, send, command }
}

/** What a receiver finds: the results of DKIM with their selectors, of SPF and of DMARC. */
async function judged(raw: string) {
  const { dkim, spf, dmarc } = await authenticate(Buffer.from(raw, 'latin1'), {
    ...{ ip, helo: host, sender: 'codes@acme.test', mta: 'mx.example.com' },
    resolver: resolverOf(zone),
  })
  return {
    dkim: dkim.results.map(({ status, selector }) => `${status.result} ${selector ?? '-'}`),
    spf: spf ? spf.status.result : null,
    dmarc: dmarc ? dmarc.status.result : null,
  }
}

const record = (key: Json) => key['record'] as { name: string; value: string }

test('a key that the DNS has signs what a real mail server passes on, through rotations too', async () => {
  await namespace.publish(zone)
  const { id, admin, send, command } = await open()
  const check = async () => (await admin(`/${id}/check-dkim`, undefined, 'POST')).items
  const first = await admin(`/${id}/dkim`, { domain: 'acme.test' })
  expect(await check()).toMatchObject([{ found: 'missing', signs: false }])
  expect(await judged(await send('user@example.com'))).toMatchObject({
    dkim: ['none -'],
    dmarc: 'pass',
  })

  zone[`txt ${record(first).name}`] = [record(first).value]
  await namespace.publish(zone)
  expect(await check()).toMatchObject([{ found: 'found', signs: true }])
  const signed = await send('second@example.com')
  expect(await judged(signed)).toEqual({
    ...{ dkim: [`pass ${first['selector']}`], spf: 'pass', dmarc: 'pass' },
  })
  expect(await judged(signed.replace('Subject: ', 'Subject: x'))).toMatchObject({
    dkim: [`fail ${first['selector']}`],
  })

  const added = await command(
    'dkim',
    'add',
    id,
    '--domain',
    'acme.test',
    '--selector',
    'next',
    '--json',
  )
  const next = JSON.parse(added.stdout) as Json
  zone[`txt ${record(next).name}`] = [record(next).value]
  await namespace.publish(zone)
  const checked = await command('dkim', 'check', id)
  expect([checked.exitCode, checked.stdout]).toEqual([
    0,
    `${record(first).name}: the DNS has the key; it does not sign\n` +
      `${record(next).name}: the DNS has the key; it signs\n`,
  ])
  const rotated = await command('key', 'rotate')
  expect([rotated.exitCode, rotated.stderr]).toEqual([0, rotated.stderr])
  expect(await judged(await send('late@example.com'))).toEqual({
    ...{ dkim: ['pass next'], spf: 'pass', dmarc: 'pass' },
  })

  const doctor = await command('doctor', '--app', id, '--json')
  const { findings } = JSON.parse(doctor.stdout) as { findings: Record<string, string>[] }
  const dns = findings.filter(({ check }) => check?.endsWith(' of acme.test'))
  expect(dns.map(({ check, status }) => [check, status])).toEqual([
    ['mx of acme.test', 'ok'],
    ['spf of acme.test', 'ok'],
    ['dkim of acme.test', 'warning'],
    ['dkim of acme.test', 'ok'],
    ['dmarc of acme.test', 'ok'],
  ])
  expect(postfix.log()).not.toContain('warning: dict')
})
