import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { dkimPlace } from '../../src/domain/app/dkim.ts'
import { addDkimKey } from '../../src/domain/app/dkim-keys.ts'
import { secretPlace } from '../../src/domain/app/endpoint.ts'
import { addEndpoint } from '../../src/domain/app/endpoints.ts'
import { verifyAudit } from '../../src/domain/audit.ts'
import { nodeSilentMs } from '../../src/domain/delivery/lease.ts'
import type { Ports } from '../../src/domain/ports.ts'
import { addWebhook, rotateWebhookSecret, secretsOf } from '../../src/domain/webhook/webhooks.ts'
import { createKeyring, type LiveKeyring } from '../../src/keys/keyring.ts'
import { isFinished, keyIdOf, loadKeyset, retiredKeepingMs } from '../../src/keys/keyset.ts'
import type { MasterKey } from '../../src/keys/master-key.ts'
import { pem } from '../../src/keys/pem.ts'
import {
  followRotation,
  type Rotation,
  type RotationPorts,
  rotateMasterKey,
} from '../../src/keys/rotate.ts'
import { StartupError } from '../../src/startup-error.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { addPlainApp } from '../support/commands.ts'
import { addApp, noon, wrongCode } from '../support/world.ts'
import { live } from './live-codes.ts'

setDefaultTimeout(60_000)

const key = (first: number) => ({
  kind: 'bytes' as const,
  bytes: new Uint8Array(32).map((_, i) => first + i),
})
const [keyA, keyB, keyC] = [key(1), key(50), key(100)]
const passphrase: MasterKey = { kind: 'passphrase', passphrase: 'correct horse battery staple' }
const note = { table: 't', row: 'r', column: 'c' }
const actor = { who: 'cli', requestId: null }
const password = 'hunter2 of the mail server'
const secrets = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`)
const pair = { publicKey: 'its public half', privateKey: 'the private half of a DKIM key' }

/** The number of apps of an installation, and of the writes of its rotation. */
const appCount = 3
const writeCount = 4

/** A database under `masterKey` with a few apps, each with a sealed value and a password. */
async function installation(masterKey: MasterKey, apps = appCount) {
  let now = noon
  const clock = {
    now: () => now,
    set: (to: number) => {
      now = to
    },
  }
  // No server runs, so the rotation need not wait.
  const timers = { ...systemTimers, sleep: async () => {} }
  const store = await openSqliteStore({ path: ':memory:', timers: systemTimers })
  const ports = { ...store, pem, clock, timers, random: systemRandom }
  const place = { ...ports, store, sealed: new Map<string, Uint8Array>() }
  const keyring = await open(place, masterKey)
  const installed = { ...place, keyring }
  for (let i = 0; i < apps; i++) await addSealed(installed, keyring)
  return installed
}

type Installation = Awaited<ReturnType<typeof installation>>

async function addSealed(place: Omit<Installation, 'keyring'>, keyring: LiveKeyring) {
  const ports = { ...place, keyring }
  const { app } = await addApp(ports)
  const email = { host: 'mx.test', port: 465, user: 'u', password, from: 'a@b.test' }
  const settings = { settings: {} as Ports['settings'], mayReach: () => true }
  await addEndpoint({ ...ports, ...settings }, actor, {
    appId: app.id,
    kind: 'email',
    input: email,
  })
  const dkimPairs = { make: async () => pair, read: () => pair }
  await addDkimKey({ ...ports, ...settings, dkimPairs }, actor, { appId: app.id, domain: 'b.test' })
  const all = { ...ports, ...settings }
  const webhook = { url: 'https://app.test/events', secret: secrets[0] }
  const added = await addWebhook(all, actor, { appId: app.id, ...webhook })
  const renewal = { appId: app.id, id: added.webhook.id, secret: secrets[1] }
  await rotateWebhookSecret(all, actor, renewal)
  const value = keyring.seal(app.id, app.dataKey, note, `value ${app.id}`)
  place.sealed.set(app.id, value)
  return app.id
}

async function open(
  ports: Pick<Ports, 'meta' | 'random' | 'clock'>,
  masterKey: MasterKey,
): Promise<LiveKeyring> {
  return createKeyring(await loadKeyset(ports, masterKey), systemRandom)
}

const alone = { serverRuns: async () => false }
const rotate = (
  ports: RotationPorts,
  rest: Pick<Rotation, 'oldMaster' | 'newMaster'> & Partial<Rotation>,
) => rotateMasterKey(ports, { ...alone, ...rest })

async function expectEverythingOpens(place: Omit<Installation, 'keyring'>, keyring: LiveKeyring) {
  for (const [id, bytes] of place.sealed) {
    const app = await place.apps.get(id)
    if (!app) throw new Error('the app is gone')
    expect(keyring.open(id, app.dataKey, note, bytes)).toBe(`value ${id}`)
    const passwords = app.endpoints.flatMap((endpoint) => {
      const { secretSealed: secret } = endpoint
      return secret ? [keyring.open(id, app.dataKey, secretPlace(endpoint), secret)] : []
    })
    expect(passwords).toEqual([password])
    const opened = app.dkim.map((key) =>
      keyring.open(id, app.dataKey, dkimPlace(key), key.privateSealed),
    )
    expect(opened).toEqual([pair.privateKey])
    const [webhook] = app.webhooks
    expect(webhook && secretsOf({ keyring }, app, webhook, noon)).toEqual(secrets.toReversed())
  }
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof StartupError)) throw error ?? new Error('nothing was refused')
  return `${error.exitCode} ${error.reasons.join()}`
}

/** The same store in a process that is killed at its nth write, before or after the commit. */
function dying<Some extends RotationPorts>(
  ports: Some,
  nth: number,
  moment: 'before' | 'after',
): Some {
  let writes = 0
  const once = async <T>(write: () => Promise<T>): Promise<T> => {
    writes++
    if (writes === nth && moment === 'before') throw new Error('killed')
    const result = await write()
    if (writes === nth) throw new Error('killed')
    return result
  }
  const { meta, apps } = ports
  return {
    ...ports,
    meta: { ...meta, write: (...facts) => once(() => meta.write(...facts)) },
    apps: { ...apps, renewKeys: (renewals) => once(() => apps.renewKeys(renewals)) },
  }
}

/** The same store, with an action just before the nth change of the keyset. */
function beforeWrite<Some extends RotationPorts>(
  ports: Some,
  nth: number,
  happens: () => Promise<unknown>,
): Some {
  let writes = 0
  const write: Ports['meta']['write'] = async (...facts) => {
    if (++writes === nth) await happens()
    return ports.meta.write(...facts)
  }
  return { ...ports, meta: { ...ports.meta, write } }
}

describe('the keyset', () => {
  test('is made once and found by every later start with the same master key', async () => {
    const place = await installation(keyA)
    expect((await open(place, keyA)).keyset()).toEqual(place.keyring.keyset())
  })

  test('comes with the first record of the audit log, in one write', async () => {
    const place = await installation(keyA, 0)
    const [first] = await place.audit.after(0, 10)
    expect(first).toMatchObject({ id: 1, who: 'server', action: 'store.create' })

    const killed = await openSqliteStore({ path: ':memory:', timers: systemTimers })
    const ports = dying({ ...place, ...killed }, 1, 'before')
    await expect(loadKeyset(ports, keyA)).rejects.toThrow('killed')
    expect(await killed.audit.state()).toBeNull()
  })

  test('refuses another master key, naming both ids and changing nothing', async () => {
    const place = await installation(keyA)
    const before = await place.meta.read('keyset')

    const said = await refusal(open(place, keyB))

    expect(said).toStartWith('78 ')
    expect(said).toContain(keyIdOf(keyA.bytes))
    expect(said).toContain(keyIdOf(keyB.bytes))
    expect(await refusal(open(place, passphrase))).toContain('a passphrase was given')
    expect(await place.meta.read('keyset')).toEqual(before)
  })

  test('opens with a passphrase by the salt in the database, and with no other', async () => {
    const place = await installation(passphrase, 0)
    expect(await place.meta.read('passphrase_salt')).toHaveLength(16)
    expect((await open(place, passphrase)).keyset()).toEqual(place.keyring.keyset())

    const other = { ...passphrase, passphrase: 'correct horse battery stable' }
    expect(await refusal(open(place, other))).toContain('not this database')
  })

  test('that is damaged or missing is refused and never made anew', async () => {
    const place = await installation(keyA)
    const sealed = await place.meta.read('keyset')
    await place.meta.write({ keyset: sealed?.map((byte) => byte ^ 1) ?? null })
    expect(await refusal(open(place, keyA))).toContain('damaged')
    await place.meta.write({ keyset: null })
    expect(await refusal(open(place, keyA))).toContain('missing')
  })
})

describe('a rotation', () => {
  test('renews every data key and seals every secret again; the old key opens nothing', async () => {
    const place = await installation(keyA)
    const [id = ''] = place.sealed.keys()
    const before = await place.apps.get(id)

    const rotated = await rotate(place, { oldMaster: keyA, newMaster: keyB })

    expect(rotated).toEqual({ keyId: keyIdOf(keyB.bytes), renewed: appCount })
    const keyring = await open(place, keyB)
    await expectEverythingOpens(place, keyring)
    expect(await refusal(open(place, keyA))).toContain('not this database')
    expect(Object.keys(keyring.keyset().keks)).toEqual([keyIdOf(keyB.bytes)])
    expect(await place.meta.read('rotation_bridge')).toBeNull()
    expect((await place.apps.get(id))?.version).toBe((before?.version ?? 0) + 1)
  })

  test('seals new secrets so that the old master key with an old backup opens none', async () => {
    const place = await installation(keyA)
    const { keyring: thief, sealed } = place
    const [id = ''] = sealed.keys()
    const stolen = await place.apps.get(id)
    await rotate(place, { oldMaster: keyA, newMaster: keyB })
    const app = await place.apps.get(id)
    const endpoint = app?.endpoints.find(({ secretSealed }) => secretSealed)
    if (!app || !stolen || !endpoint?.secretSealed) throw new Error('no secret')

    for (const { dataKey } of [stolen, app]) {
      const opening = () =>
        thief.open(id, dataKey, secretPlace(endpoint), endpoint.secretSealed ?? new Uint8Array())
      expect(opening).toThrow()
    }
  })

  test('writes one audit record in its last write, and the chain holds', async () => {
    const place = await installation(keyA)
    await rotate(place, { oldMaster: keyA, newMaster: keyB })

    const records = await place.audit.after(0, 100)
    expect(records.filter(({ action }) => action === 'master_key.rotate')).toMatchObject([
      { who: 'cli', object: keyIdOf(keyB.bytes), detail: `data keys ${appCount}` },
    ])
    const ports = { ...place, keyring: await open(place, keyB) }
    expect((await verifyAudit(ports, { now: noon, keptMs: 1 })).ok).toBe(true)
  })

  test('that is killed at any write leaves a key that opens everything, and can be finished', async () => {
    for (const moment of ['before', 'after'] as const) {
      for (let nth = 1; nth <= writeCount; nth++) {
        const place = await installation(keyA)
        const keys = { oldMaster: keyA, newMaster: keyB }
        await expect(rotate(dying(place, nth, moment), keys)).rejects.toThrow('killed')

        const holder = nth === 1 && moment === 'before' ? keyA : keyB
        await expectEverythingOpens(place, await open(place, holder))
        await rotate(place, keys)
        const keyring = await open(place, keyB)
        expect(isFinished(keyring.keyset())).toBe(true)
        // No write of the keyset is made twice.
        expect(keyring.keyset().version).toBe(place.keyring.keyset().version + 3)
        expect(await place.meta.read('rotation_bridge')).toBeNull()
        await expectEverythingOpens(place, keyring)
        expect(await refusal(open(place, keyA))).toContain('not this database')
      }
    }
  })

  test('that is killed at every write one after another is finished by the last run', async () => {
    const place = await installation(keyA)
    const keys = { oldMaster: keyA, newMaster: keyB }
    for (let nth = 1; nth <= writeCount; nth++) {
      await rotate(dying(place, 1, 'after'), keys).catch(() => {})
    }
    await rotate(place, keys)

    await expectEverythingOpens(place, await open(place, keyB))
  })

  test('that was cut off is also finished by the next one, to a third key', async () => {
    for (let nth = 1; nth < writeCount; nth++) {
      const place = await installation(keyA)
      const keys = { oldMaster: keyA, newMaster: keyB }
      await expect(rotate(dying(place, nth, 'after'), keys)).rejects.toThrow('killed')

      await rotate(place, { oldMaster: keyB, newMaster: keyC })

      await expectEverythingOpens(place, await open(place, keyC))
      expect(await refusal(open(place, keyB))).toContain('not this database')
    }
  })

  test('to another key and back, and between passphrases, works', async () => {
    const place = await installation(keyA)
    const other: MasterKey = { ...passphrase, passphrase: 'another sixteen characters' }
    const path: MasterKey[] = [keyA, keyB, keyA, passphrase, other, keyA]
    for (const [i, oldMaster] of path.slice(0, -1).entries()) {
      const newMaster = path[i + 1] ?? keyA
      expect(await rotate(place, { oldMaster, newMaster })).toMatchObject({ renewed: appCount })
      await expectEverythingOpens(place, await open(place, newMaster))
      expect(await refusal(open(place, oldMaster))).toStartWith('78 ')
    }
    expect(await place.meta.read('passphrase_salt')).toBeNull()
  })

  test('with a wrong old key, or to the key in use, is refused and changes nothing', async () => {
    const place = await installation(keyA)
    const before = await place.meta.read('keyset')
    const wrong = refusal(rotate(place, { oldMaster: keyB, newMaster: keyC }))
    const same = refusal(rotate(place, { oldMaster: keyA, newMaster: keyA }))
    expect(await wrong).toContain('neither master key')
    expect(await same).toContain('in use')
    expect(await place.meta.read('keyset')).toEqual(before)
  })

  test('that is run again after its end changes nothing', async () => {
    const place = await installation(keyA)
    const keys = { oldMaster: keyA, newMaster: keyB }
    await rotate(place, keys)
    const before = await place.meta.read('keyset')

    expect(await rotate(place, keys)).toEqual({ keyId: keyIdOf(keyB.bytes), renewed: 0 })
    expect(await place.meta.read('keyset')).toEqual(before)
  })

  test('of a database without a keyset is refused', async () => {
    const place = await installation(keyA)
    await place.meta.write({ keyset: null })

    const said = await refusal(rotate(place, { oldMaster: keyA, newMaster: keyB }))

    expect(said).toBe('1 there is no keyset to rotate')
  })

  test('names the app whose secrets cannot be opened, and stops', async () => {
    const place = await installation(keyA)
    const { id } = await addPlainApp(place)

    const said = await refusal(rotate(place, { oldMaster: keyA, newMaster: keyB }))

    expect(said).toBe(`1 the secrets of app ${id} cannot be opened: restore or delete the app`)
  })

  test('renews a hundred apps at a time and reports the number so far', async () => {
    const place = await installation(keyA, 101)
    const reported: number[] = []
    const onProgress = (renewed: number) => void reported.push(renewed)

    await rotate(place, { oldMaster: keyA, newMaster: keyB, onProgress })

    expect(reported).toEqual([100, 101])
  })

  test('that another rotation overtakes at any write fails with that reason and harms nothing', async () => {
    for (const nth of [1, 2, 3]) {
      const place = await installation(keyA)
      const overtaken = beforeWrite(place, nth, () =>
        rotate(place, { oldMaster: nth === 1 ? keyA : keyB, newMaster: keyC }),
      )

      const said = await refusal(rotate(overtaken, { oldMaster: keyA, newMaster: keyB }))

      expect(said).toBe('1 another rotation has come between: run it again')
      await expectEverythingOpens(place, await open(place, keyC))
    }
  })

  test('goes on when the audit log grows before its last write', async () => {
    const place = await installation(keyA)
    const busy = beforeWrite(place, 3, () => addSealed(place, place.keyring))
    await rotate(busy, { oldMaster: keyA, newMaster: keyB })

    // An app that was added before the last write has the old key, and is renewed after it.
    await expectEverythingOpens(place, await open(place, keyB))
  })

  test('loses no password that is changed between its read and its write', async () => {
    const place = await installation(keyA)
    const { apps, keyring } = place
    const [id = ''] = place.sealed.keys()
    let isChanged = false
    const racing: RotationPorts = {
      ...place,
      apps: {
        ...apps,
        renewKeys: async (renewals) => {
          if (!isChanged) {
            isChanged = true
            const email = { host: 'mx2.test', port: 465, user: 'u', password, from: 'a@b.test' }
            const settings = { settings: {} as Ports['settings'], mayReach: () => true }
            const ports = { ...place, keyring, ...settings }
            await addEndpoint(ports, actor, { appId: id, kind: 'email', input: email })
          }
          await apps.renewKeys(renewals)
        },
      },
    }
    await rotate(racing, { oldMaster: keyA, newMaster: keyB })

    const app = await apps.get(id)
    const opener = await open(place, keyB)
    const secrets = app?.endpoints.flatMap((endpoint) => {
      const { secretSealed: secret } = endpoint
      return secret ? [opener.open(id, app.dataKey, secretPlace(endpoint), secret)] : []
    })
    expect(secrets).toEqual([password, password])
  })
})

describe('servers that run while the key is rotated', () => {
  const beat = async (place: Installation, id: string, keyring: LiveKeyring, seenAt = noon) => {
    await place.nodes.beat({ id, seenAt, keysetVersion: keyring.keyset().version, nextKeyId: null })
  }
  /** A server that reloads the keyset whenever the rotation waits. */
  const following = (place: Installation, keyrings: LiveKeyring[]): RotationPorts => ({
    ...place,
    timers: {
      ...place.timers,
      sleep: async () => {
        for (const [index, keyring] of keyrings.entries()) {
          await expectEverythingOpens(place, keyring)
          expect(await followRotation({ meta: place.meta, keyring })).not.toBe('lost')
          await beat(place, `node ${index}`, keyring)
          await expectEverythingOpens(place, keyring)
        }
      },
    },
  })
  const served = { oldMaster: keyA, newMaster: keyB, serverRuns: async () => true }

  test('take up the new keyset without being given the new master key', async () => {
    const place = await installation(keyA)
    const nodes = [place.keyring, await open(place, keyA), await open(place, keyA)]
    for (const [index, node] of nodes.entries()) await beat(place, `node ${index}`, node)
    expect(await followRotation({ meta: place.meta, keyring: place.keyring })).toBe('same')

    await rotate(following(place, nodes), served)

    for (const keyring of nodes) {
      expect(await followRotation({ meta: place.meta, keyring })).toBe('changed')
      expect(keyring.keyset()).toEqual((await open(place, keyB)).keyset())
      await expectEverythingOpens(place, keyring)
    }
  })

  test('delay it until all have reloaded; what they sealed meanwhile is renewed too', async () => {
    const place = await installation(keyA)
    const { keyring } = place
    const late = await open(place, keyA)
    await beat(place, 'early', keyring)
    await beat(place, 'late', late)
    expect(await refusal(rotate(place, served))).toContain('has not taken up the new key')

    await followRotation({ meta: place.meta, keyring })
    await beat(place, 'early', keyring)
    expect(await refusal(rotate(place, served))).toContain('has not taken up the new key')
    // Nothing is sealed under a key that the late one does not have.
    expect((await open(place, keyB)).keyset().currentId).toBe(keyIdOf(keyA.bytes))

    await addSealed(place, late)
    await place.nodes.leave('early')
    await place.nodes.leave('late')
    await beat(place, 'node 0', keyring)
    await rotate(following(place, [keyring, late]), served)
    await expectEverythingOpens(place, await open(place, keyB))
  })

  test('delay each write of the keyset until they have the one before', async () => {
    const place = await installation(keyA)
    const [idA, idB] = [keyIdOf(keyA.bytes), keyIdOf(keyB.bytes)]
    const [appId = ''] = place.sealed.keys()
    const stopped = async () => {
      await beat(place, 'node 0', place.keyring)
      expect(await refusal(rotate(place, served))).toContain('has not taken up the new key')
      const { dataKey } = (await place.apps.get(appId)) ?? {}
      return [(await open(place, keyB)).keyset().currentId, dataKey?.keyId]
    }

    expect(await stopped()).toEqual([idA, idA])
    await followRotation({ meta: place.meta, keyring: place.keyring })
    expect(await stopped()).toEqual([idB, idA])
    await followRotation({ meta: place.meta, keyring: place.keyring })
    await beat(place, 'node 0', place.keyring)
    await rotate(place, served)
    await expectEverythingOpens(place, await open(place, keyB))
  })

  test('are waited for in looks of half a second, for thirty seconds', async () => {
    const place = await installation(keyA)
    await beat(place, 'node 0', place.keyring)
    const slept: number[] = []
    const timers = { ...place.timers, sleep: async (ms: number) => void slept.push(ms) }

    expect(await refusal(rotate({ ...place, timers }, served))).toBe(
      '1 a running server has not taken up the new key: run it again, or stop it',
    )
    expect(slept).toEqual(Array(60).fill(500))
  })

  test('take up a rotation that was cut off before the next one begins', async () => {
    const place = await installation(keyA)
    await beat(place, 'node 0', place.keyring)
    const cutOff = rotate(dying(place, 1, 'after'), { oldMaster: keyA, newMaster: keyB })
    await expect(cutOff).rejects.toThrow('killed')

    const next = { ...served, oldMaster: keyB, newMaster: keyC }
    await rotate(following(place, [place.keyring]), next)

    await expectEverythingOpens(place, await open(place, keyC))
  })

  test('that were not seen for 15 seconds, or only by a wrong clock, do not delay it', async () => {
    const place = await installation(keyA)
    expect(nodeSilentMs).toBe(15_000)
    await beat(place, 'gone', place.keyring, noon - nodeSilentMs)
    await beat(place, 'ahead', place.keyring, noon + nodeSilentMs)
    await beat(place, 'node 0', place.keyring)

    await rotate(following(place, [place.keyring]), served)

    await expectEverythingOpens(place, await open(place, keyB))
  })

  test('delay it from their start on', async () => {
    const place = await installation(keyA)
    expect(await refusal(rotate(place, served))).toContain('has not taken up the new key')
    expect(isFinished((await open(place, keyB)).keyset())).toBe(false)
  })

  test('that missed the rotation report that they have no key, and keep their old keyring', async () => {
    const place = await installation(keyA)
    const before = place.keyring.keyset()
    await rotate(place, { oldMaster: keyA, newMaster: keyB })

    expect(await followRotation({ meta: place.meta, keyring: place.keyring })).toBe('lost')
    expect(place.keyring.keyset()).toBe(before)
  })

  test.each([
    ['bytes', keyB],
    ['a passphrase, stretched with the salt that the rotation has stored', passphrase],
  ])('that missed the rotation go on where they hold its key: %s', async (_, newMaster) => {
    const place = await installation(keyA)
    await rotate(place, { oldMaster: keyA, newMaster })
    const nextKey = { read: () => newMaster }
    const { meta, keyring } = place

    expect(await followRotation({ meta, keyring, nextKey })).toBe('changed')
    await expectEverythingOpens(place, keyring)
  })
})

describe('a live code', () => {
  test('is right after any number of rotations between any two steps', async () => {
    for (let rotations = 0; rotations <= 4; rotations++) {
      for (const moment of ['start', 'resend', 'check'] as const) {
        const place = await installation(keyA, 0)
        const codes = await live(place, await open(place, keyA))
        let from = keyA
        const rotateAll = async () => {
          for (const to of [keyB, keyC, keyB, keyC].slice(0, rotations)) {
            await rotate(place, { oldMaster: from, newMaster: to })
            from = to
          }
          codes.use(await open(place, from))
        }
        await codes.start()
        if (moment === 'start') await rotateAll()
        expect(await codes.check(wrongCode)).toBe(false)
        if (moment === 'resend') await rotateAll()
        place.clock.set(place.clock.now() + 31_000)
        expect(await codes.resentCode()).toBe(codes.code())
        if (moment === 'check') await rotateAll()
        expect(await codes.check((right) => right)).toBe(true)
      }
    }
  })

  test('is right after rotations under clocks that step back and forth', async () => {
    const place = await installation(keyA, 0)
    const codes = await live(place, place.keyring)
    await codes.start()
    let from = keyA
    for (const [index, step] of [-7_200_000, 5_400_000, -86_400_000].entries()) {
      place.clock.set(noon + step)
      const to = [keyB, keyC, keyB][index] ?? keyB
      await rotate(place, { oldMaster: from, newMaster: to })
      from = to
    }
    place.clock.set(noon + 60_000)
    codes.use(await open(place, from))

    expect(await codes.check((right) => right)).toBe(true)
  })

  test('has its key for longer than it lives', () => {
    expect(retiredKeepingMs).toBeGreaterThan(25 * 3_600_000)
  })
})
