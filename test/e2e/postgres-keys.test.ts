import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Environment,
  eventually,
  logLines,
  run,
  type Server,
  start,
} from '../support/executable.ts'
import { call, createApp } from './client.ts'
import { mailSink } from './mail-sink.ts'
import { clusterOnServer } from './postgres-cluster.ts'

setDefaultTimeout(90_000)
const place = clusterOnServer()
const { adminToken, nodeOf, folder } = place

let keys = 0

/** A file with a new master key. */
function keyFile(
  text = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64'),
) {
  const file = join(folder, `key${keys++}`)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

const next = (file: string): Environment => ({ OTPMINT_MASTER_KEY_NEXT_FILE: file })
const isReady = async ({ base }: Server) => (await call(`${base}/readyz`)).status === 200

/** Starts a verification by one node; its id and the code of the mail. */
async function startBy(node: Server, token: string, sink: Awaited<ReturnType<typeof mailSink>>) {
  const to = `person${sink.mails.length}@example.com`
  const headers = { prefer: 'wait=10' }
  const { json } = await call(`${node.base}/v1/verifications`, { to }, { token, headers })
  await eventually(() => sink.to(to).length > 0)
  return {
    id: String(json['id']),
    code: sink.to(to)[0]?.code ?? '',
  }
}

async function isApproved(node: Server, token: string, { id, code }: { id: string; code: string }) {
  const { json } = await call(`${node.base}/v1/verifications/${id}/check`, { code }, { token })
  return json['valid'] === true
}

describe('a rotation of the master key of several servers', () => {
  test('waits for the next key on each, is acknowledged by each, and loses no code', async () => {
    const url = await place.server.create()
    const file = keyFile()
    const envs = [nodeOf(url, next(file)), nodeOf(url, next(file)), nodeOf(url)] as const
    const [a, b, without] = await Promise.all([
      start(['serve'], envs[0]),
      start(['serve'], envs[1]),
      start(['serve'], envs[2]),
    ])
    const sink = await mailSink()
    const { liveKey } = await createApp(a, adminToken, sink)
    const before = await startBy(a, liveKey, sink)

    const noFile = await run(['key', 'rotate'], nodeOf(url))
    const refused = await run(['key', 'rotate'], nodeOf(url, next(file)))
    await without.stop()
    const c = await start(['serve'], { ...envs[2], ...next(file) })
    const rotated = await run(['key', 'rotate', '--json'], nodeOf(url, next(file)))
    const after = await startBy(b, liveKey, sink)

    expect([noFile.exitCode, noFile.stderr]).toEqual([
      78,
      expect.stringContaining('the new master key is missing'),
    ])
    expect([refused.exitCode, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^otpmint: 1 of 3 live servers do not hold the new key \(\w+\): give/),
    ])
    expect([rotated.exitCode, rotated.stderr]).toEqual([0, expect.any(String)])
    expect(JSON.parse(rotated.stdout)).toMatchObject({ renewed: 1 })
    expect(await isApproved(c, liveKey, before)).toBe(true)
    expect(await isApproved(a, liveKey, after)).toBe(true)
    for (const node of [a, b, c]) expect(logLines(node.stdout()).some(isKeysChanged)).toBe(true)

    // Afterwards a server starts with the old key and the next one, or with the new one alone.
    await Promise.all([a.stop(), b.stop(), c.stop()])
    const { OTPMINT_MASTER_KEY: _, ...rest } = nodeOf(url)
    const alone = await start(['serve'], { ...rest, OTPMINT_MASTER_KEY_FILE: file })
    const both = await start(['serve'], envs[0])
    expect([await isReady(alone), await isReady(both)]).toEqual([true, true])
    const old = await run(['serve'], nodeOf(url))
    expect([old.exitCode, old.stderr]).toEqual([
      78,
      expect.stringContaining("the master key is not this database's"),
    ])
    await sink.close()
  })

  test('is possible to a passphrase, which all servers stretch with the same salt', async () => {
    const url = await place.server.create()
    const file = keyFile('passphrase:correct horse battery staple')
    const nodes = await Promise.all([1, 2].map(() => start(['serve'], nodeOf(url, next(file)))))
    const rotated = await run(['key', 'rotate'], nodeOf(url, next(file)))
    expect([rotated.exitCode, rotated.stderr]).toEqual([0, expect.any(String)])
    for (const node of nodes) expect(await isReady(node)).toBe(true)
    const again = await start(['serve'], nodeOf(url, next(file)))
    expect(await isReady(again)).toBe(true)
  })

  test('passes over a server that is stopped: it reads the keys before it serves, or refuses', async () => {
    const url = await place.server.create()
    const file = keyFile()
    const [going, holds, lacks] = await Promise.all([
      start(['serve'], nodeOf(url, next(file))),
      start(['serve'], nodeOf(url, next(file))),
      start(['serve'], nodeOf(url)),
    ])
    const sink = await mailSink()
    const { liveKey } = await createApp(going, adminToken, sink)
    const before = await startBy(going, liveKey, sink)
    for (const { pid } of [holds, lacks]) process.kill(pid, 'SIGSTOP')
    let rotated = await run(['key', 'rotate'], nodeOf(url, next(file)))
    expect(rotated.exitCode).toBe(1)
    await eventually(async () => {
      rotated = await run(['key', 'rotate'], nodeOf(url, next(file)))
      return rotated.exitCode === 0
    }, 30_000)
    for (const { pid } of [holds, lacks]) process.kill(pid, 'SIGCONT')

    const approved = await isApproved(holds, liveKey, before)
    const refused = await call(
      `${lacks.base}/v1/verifications`,
      { to: 'a@b.de' },
      { token: liveKey },
    )
    expect(approved).toBe(true)
    expect(await isApproved(going, liveKey, await startBy(holds, liveKey, sink))).toBe(true)
    expect([refused.status, await isReady(lacks)]).toEqual([503, false])
    expect(logLines(lacks.stdout()).map(({ event }) => event)).toContain('keys_lost')
    await sink.close()
  })
})

const isKeysChanged = ({ event }: { event: string }) => event === 'keys_changed'

test('a next key that is no key is refused at the start', async () => {
  const url = await place.server.create()
  const { exitCode, stderr } = await run(['serve'], nodeOf(url, next(keyFile('too short'))))
  expect([exitCode, stderr]).toEqual([
    78,
    expect.stringContaining('OTPMINT_MASTER_KEY_NEXT_FILE must be 32 random bytes'),
  ])
})
