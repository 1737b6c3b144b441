import { expect, test } from 'bun:test'
import type { AppChange, Stores } from '../../src/domain/stores.ts'
import {
  addPlainApp,
  appKey,
  attempt,
  bytes,
  dkimKey,
  emailEndpoint,
  keyOf,
  newRequest,
  noon,
  plainApp,
  settleCommand,
  startCommand,
  times,
  webhook,
  withAudit,
} from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

function update(stores: Pick<Stores, 'apps' | 'audit'>, id: string, change: Partial<AppChange>) {
  const command = { expectedVersion: 1, updatedAt: noon + 1, ...change }
  return withAudit(stores, (append) => stores.apps.update(id, command, append))
}

/** Tests the rules of apps, their keys and their endpoints that every store follows. */
export function appContract(open: OpenStores): void {
  creating(open)
  changing(open)
  keys(open)
  removing(open)
  rotating(open)
}

function creating(open: OpenStores): void {
  test('an app comes back as it was created, by its id, key and secretKey', async () => {
    const stores = await open()
    const { apps } = stores
    const id = plainApp().id
    const endpoints = [emailEndpoint(id, 1), emailEndpoint(id, 2)]
    const policy = { codeLength: 8, paused: true }
    const stranger = { registeredBy: 'open', name: null, hasSecretKey: true } as const
    const dkim = [dkimKey({ foundAt: noon }), dkimKey({ createdAt: noon + 1 })]
    const app = plainApp({ id, endpoints, dkim, policy, ...stranger })
    const [hash, secretKeyIndex, key] = [bytes(32), bytes(32), appKey(id)]
    const command = { app, keys: [{ key, hash }], secretKeyIndex, registeredFrom: bytes(32) }
    await withAudit(stores, (append) => apps.create(command, append))

    expect(await apps.get(id)).toEqual(app)
    expect(await apps.findByKey(hash)).toEqual({ app, key })
    expect(await apps.findBySecretKey(secretKeyIndex)).toEqual(app)
    expect(await apps.keys(id)).toEqual([key])
    expect(await apps.get('unknown')).toBeNull()
    expect(await apps.findByKey(bytes(32))).toBeNull()
    expect(await apps.findBySecretKey(bytes(32))).toBeNull()
  })

  test('an app says whether it has a secretKey, however it is read', async () => {
    const stores = await open()
    for (const secretKeyIndex of [null, bytes(32)]) {
      const app = plainApp({ hasSecretKey: secretKeyIndex !== null })
      const command = { app, keys: [], secretKeyIndex, registeredFrom: null }
      await withAudit(stores, (append) => stores.apps.create(command, append))

      expect(await stores.apps.get(app.id)).toEqual(app)
      expect((await stores.apps.list({ limit: 10, cursor: null })).items).toContainEqual(app)
    }
  })

  test('of parallel registrations of one secretKey exactly one succeeds', async () => {
    const stores = await open()
    const secretKeyIndex = bytes(32)
    const creations = times(30, () => {
      const command = { app: plainApp(), keys: [], secretKeyIndex, registeredFrom: null }
      return withAudit(stores, (append) => stores.apps.create(command, append))
    })

    const outcomes = await Promise.all(creations)

    expect(outcomes.filter((outcome) => outcome === 'created').length).toBe(1)
    expect(outcomes.filter((outcome) => outcome === 'secret_key_taken').length).toBe(29)
    expect((await stores.apps.list({ limit: 100, cursor: null })).items).toHaveLength(1)
    expect(await stores.audit.after(0, 100)).toHaveLength(1)
  })

  test('pages show every app once', async () => {
    const stores = await open()
    const apps = await Promise.all(times(5, () => addPlainApp(stores)))

    const seen: string[] = []
    let cursor: string | null = null
    do {
      const page = await stores.apps.list({ limit: 2, cursor })
      expect(page.items.length).toBeLessThanOrEqual(2)
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.nextCursor
    } while (cursor)

    expect(seen.toSorted()).toEqual(apps.map(({ id }) => id).sort())
  })

  test('apps are found by a part of their name, a to z in either case, page by page', async () => {
    const stores = await open()
    for (const name of ['Acme Shop', 'acme portal', 'ÄRZTE 100%', null]) {
      await addPlainApp(stores, plainApp({ name }))
    }
    const found = async (name: string) =>
      (await stores.apps.list({ limit: 10, cursor: null, name })).items.map((app) => app.name)

    expect((await found('ACME')).toSorted()).toEqual(['Acme Shop', 'acme portal'])
    expect(await found('shop')).toEqual(['Acme Shop'])
    expect([await found('Ärzte'), await found('ärzte')]).toEqual([['ÄRZTE 100%'], []])
    expect(await found('0%')).toEqual(['ÄRZTE 100%'])
    const first = await stores.apps.list({ limit: 1, cursor: null, name: 'acme' })
    const rest = await stores.apps.list({ limit: 1, cursor: first.nextCursor, name: 'acme' })
    expect([...first.items, ...rest.items].map((app) => app.name).toSorted()).toEqual([
      'Acme Shop',
      'acme portal',
    ])
    expect(rest.nextCursor).toBeNull()
  })

  test('openly registered apps are counted, in all and by address', async () => {
    const stores = await open()
    const [mine, theirs] = [bytes(32), bytes(32)]
    for (const registeredFrom of [mine, theirs, mine, null]) {
      const registeredBy = registeredFrom ? 'open' : 'admin'
      const app = plainApp({ registeredBy })
      const command = { app, keys: [], secretKeyIndex: null, registeredFrom }
      await withAudit(stores, (append) => stores.apps.create(command, append))
    }

    expect(await stores.apps.countOpen(mine)).toEqual({ all: 3, fromAddress: 2 })
    expect(await stores.apps.countOpen(bytes(32))).toEqual({ all: 3, fromAddress: 0 })
  })
}

function changing(open: OpenStores): void {
  test('a change leaves other fields as they are and increments the version', async () => {
    const stores = await open()
    const app = await addPlainApp(stores, plainApp({ policy: { codeLength: 7 } }))
    const endpoints = [emailEndpoint(app.id, 1)]

    const withEndpoint = { ...app, endpoints, version: 2, updatedAt: noon + 1 }
    expect(await update(stores, app.id, { endpoints })).toEqual(withEndpoint)
    expect(await stores.apps.get(app.id)).toEqual(withEndpoint)
    const renamed = { ...withEndpoint, name: 'New', version: 3 }
    expect(await update(stores, app.id, { name: 'New', expectedVersion: 2 })).toEqual(renamed)
    const policy = { paused: true }
    expect(await update(stores, app.id, { policy, expectedVersion: 3 })).toEqual({
      ...renamed,
      ...{ policy, version: 4 },
    })
    expect(await update(stores, 'unknown', {})).toBeNull()
  })

  test('endpoints are replaced as a whole, whatever their ranks were', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const endpoints = times(3, (index) => emailEndpoint(app.id, index + 1))
    await update(stores, app.id, { endpoints })
    const [one, two] = endpoints
    if (!one || !two) throw new Error('no endpoints')

    const swapped = [
      { ...two, rank: 1, secretSealed: null },
      { ...one, rank: 2 },
    ]
    const changed = await update(stores, app.id, { endpoints: swapped, expectedVersion: 2 })

    expect(changed).toMatchObject({ endpoints: swapped })
    expect((await stores.apps.get(app.id))?.endpoints).toEqual(swapped)
  })

  test('DKIM keys are replaced as a whole, and come oldest first', async () => {
    const stores = await open()
    const [first, second] = [dkimKey({ createdAt: noon + 1 }), dkimKey({ createdAt: noon })]
    const app = await addPlainApp(stores, plainApp({ dkim: [first] }))
    const other = await addPlainApp(stores, plainApp({ dkim: [dkimKey()] }))

    await update(stores, app.id, { dkim: [{ ...first, foundAt: noon }, second] })
    const changed = [second, { ...first, foundAt: noon }]
    expect(await stores.apps.get(app.id)).toMatchObject({ dkim: changed, version: 2 })
    await update(stores, app.id, { expectedVersion: 1, dkim: [] })
    expect((await stores.apps.get(app.id))?.dkim).toEqual(changed)
    await update(stores, app.id, { expectedVersion: 2, dkim: [] })

    expect((await stores.apps.get(app.id))?.dkim).toEqual([])
    expect(await stores.apps.get(other.id)).toEqual(other)
  })

  test('of parallel changes to one version one succeeds, and the others are refused', async () => {
    const stores = await open()
    const { id } = await addPlainApp(stores)

    const changes = times(30, (index) => update(stores, id, { name: `n${index}` }))
    const results = await Promise.all(changes)

    expect(results.filter((result) => result === 'changed').length).toBe(29)
    const [made] = results.filter((result) => result !== 'changed')
    expect(made).toMatchObject({ version: 2 })
    expect(await stores.apps.get(id)).toEqual(made as never)
    expect(await stores.audit.after(0, 100)).toHaveLength(2)
  })

  test('an app shows since when its spray alarm is on', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const place = { kind: 'spray', appId: app.id, endpointId: null } as const
    expect((await stores.apps.get(app.id))?.sprayAlarmSince).toBeNull()

    await stores.alarms.raise({ ...place, now: noon + 1, event: 'alarm.raised', data: {} })
    expect((await stores.apps.get(app.id))?.sprayAlarmSince).toBe(noon + 1)
    await stores.alarms.clear({ ...place, now: noon + 2, event: 'alarm.cleared', data: {} })
    expect((await stores.apps.get(app.id))?.sprayAlarmSince).toBeNull()
  })
}

function keys(open: OpenStores): void {
  test('parallel additions of keys keep to the greatest number of active keys of a mode', async () => {
    const stores = await open()
    const { id } = await addPlainApp(stores)
    const add = (mode: 'live' | 'test') => {
      const command = { key: appKey(id, mode), hash: bytes(32), activeMax: 2 }
      return withAudit(stores, (append) => stores.apps.addKey(command, append))
    }

    const added = await Promise.all([...times(20, () => add('live')), add('test')])

    expect(added.filter((outcome) => outcome === 'added').length).toBe(3)
    const stored = await stores.apps.keys(id)
    expect(stored.filter(({ mode }) => mode === 'live').length).toBe(2)
    expect(await stores.audit.after(0, 100)).toHaveLength(4)
  })

  test('a revoked key is unknown from then on and makes room for another', async () => {
    const stores = await open()
    const { apps } = stores
    const { id } = await addPlainApp(stores)
    const [key, hash] = [appKey(id), bytes(32)]
    const add = (command: { key: typeof key; hash: Uint8Array }) =>
      withAudit(stores, (append) => apps.addKey({ ...command, activeMax: 1 }, append))
    await add({ key, hash })
    expect((await apps.findByKey(hash))?.key).toEqual(key)
    const revoke = (appId: string) => {
      const command = { appId, keyId: key.id, now: noon + 1 }
      return withAudit(stores, (append) => apps.revokeKey(command, append))
    }

    expect(await revoke('other')).toBe(false)
    expect(await revoke(id)).toBe(true)
    expect(await revoke(id)).toBe(false)

    expect(await apps.findByKey(hash)).toBeNull()
    expect(await apps.keys(id)).toEqual([{ ...key, revokedAt: noon + 1 }])
    expect(await add({ key: appKey(id), hash: bytes(32) })).toBe('added')
  })
}

function removing(open: OpenStores): void {
  test('removing an app removes all its rows and no others', async () => {
    const stores = await open()
    const [removed, kept] = [await addPlainApp(stores), await addPlainApp(stores)]
    const hash = bytes(32)
    const key = { key: appKey(removed.id), hash, activeMax: 2 }
    await withAudit(stores, (append) => stores.apps.addKey(key, append))
    const commands = await Promise.all([furnish(stores, removed.id), furnish(stores, kept.id)])

    const remove = () => withAudit(stores, (append) => stores.apps.remove(removed.id, append))
    expect(await remove()).toBe(true)
    expect(await remove()).toBe(false)

    expect(await stores.apps.get(removed.id)).toBeNull()
    expect(await stores.apps.findByKey(hash)).toBeNull()
    expect(await stores.apps.keys(removed.id)).toEqual([])
    const left = await Promise.all([
      contents(stores, removed.id, commands[0]),
      contents(stores, kept.id, commands[1]),
    ])
    expect(left).toEqual([
      { verification: 0, deliveries: 0, tries: 0, events: 0, alarms: 0, inbox: 0, starts: 0 },
      { verification: 1, deliveries: 1, tries: 1, events: 3, alarms: 1, inbox: 1, starts: 1 },
    ])
  })

  /** Adds a row to every table of an app. */
  async function furnish(stores: Stores, appId: string) {
    const command = startCommand({ appId, idempotency: newRequest() })
    await stores.verifications.start(command)
    await stores.deliveries.settle(settleCommand(command))
    await stores.verifications.chargeAttempt(attempt(command, true))
    const place = { kind: 'login_refused', appId, endpointId: 'e' } as const
    await stores.alarms.raise({ ...place, now: noon, event: 'alarm.raised', data: {} })
    const ids = { deliveryId: command.delivery.id, verificationId: command.verification.id }
    const sealed = { recipientSealed: bytes(40), variablesSealed: null }
    const row = { ...ids, appId, ...sealed, at: noon }
    await stores.inbox.add({ row, keep: 100 })
    return command
  }

  async function contents(
    stores: Stores,
    appId: string,
    command: Awaited<ReturnType<typeof furnish>>,
  ) {
    const page = { appId, limit: 9, cursor: null }
    const stats = { appId, from: noon - 1000, to: noon + 60_000, bucketMs: 60_000 }
    return {
      verification: (await stores.verifications.get(keyOf(command))) ? 1 : 0,
      deliveries: (await stores.deliveries.history(keyOf(command))).length,
      tries: (await stores.deliveries.tries(command.delivery.id)).length,
      events: (await stores.events.list({ ...page, type: null })).items.length,
      alarms: (await stores.alarms.list({ ...page, open: false })).items.length,
      inbox: (await stores.inbox.list(page)).length,
      starts: (await stores.stats.read(stats)).reduce((sum, { starts }) => sum + starts, 0),
    }
  }

  test('an app with more than one batch of rows is removed completely', async () => {
    const stores = await open()
    const { id } = await addPlainApp(stores)
    const commands = times(1100, (index) => startCommand({ appId: id, now: noon + index }))
    await Promise.all(commands.map(stores.verifications.start))

    await withAudit(stores, (append) => stores.apps.remove(id, append))

    const query = { appId: id, mode: 'live', now: noon, limit: 9, cursor: null } as const
    expect((await stores.verifications.list(query)).items).toEqual([])
    expect((await stores.deliveries.backlog()).waiting).toBe(0)
  })
}

function rotating(open: OpenStores): void {
  test('apps whose data keys are wrapped under another key are found, and renewed once', async () => {
    const stores = await open()
    const { apps } = stores
    const id = plainApp().id
    const endpoints = [emailEndpoint(id, 1), { ...emailEndpoint(id, 2), secretSealed: null }]
    const keys = [dkimKey(), dkimKey({ createdAt: noon + 1 })]
    const hooks = [webhook(), webhook({ createdAt: noon + 1, formerSealed: bytes(60) })]
    const app = plainApp({ id, endpoints, dkim: keys, webhooks: hooks })
    const old = await addPlainApp(stores, app)
    const recent = await addPlainApp(
      stores,
      plainApp({ dataKey: { keyId: 'new', bytes: bytes(61) } }),
    )
    expect(await apps.wrappedOtherwise('new', 9)).toEqual([old])
    expect(await apps.get(id)).toEqual(old)

    const [sealed, dataKey] = [bytes(50), { keyId: 'new', bytes: bytes(61) }]
    const secrets = [{ endpointId: endpoints[0]?.id ?? '', sealed }]
    const dkim = keys.map((key) => ({ id: key.id, sealed: bytes(60) }))
    const webhooks = hooks.map(({ id, formerSealed }) => {
      return { id, sealed: bytes(60), formerSealed: formerSealed && bytes(60) }
    })
    const renewal = { appId: id, expectedVersion: 1, dataKey, secrets, dkim, webhooks }
    const late = { ...renewal, dataKey: { keyId: 'new', bytes: bytes(61) } }
    await apps.renewKeys([
      renewal,
      { ...late, dkim: [], webhooks: [] },
      { ...renewal, appId: 'unknown' },
    ])

    expect(await apps.get(id)).toEqual({
      ...{ ...old, dataKey, version: 2 },
      endpoints: [{ ...endpoints[0], secretSealed: sealed }, endpoints[1]] as never,
      dkim: keys.map((key, index) => ({ ...key, privateSealed: dkim[index]?.sealed })) as never,
      webhooks: hooks.map((hook, index) => {
        const { sealed: secretSealed, formerSealed } = webhooks[index] ?? {}
        return { ...hook, secretSealed, formerSealed }
      }) as never,
    })
    expect(await apps.get(recent.id)).toEqual(recent)
    expect(await apps.wrappedOtherwise('new', 9)).toEqual([])
    expect(await apps.wrappedOtherwise('newer', 1)).toHaveLength(1)
  })

  test('a renewed secret takes the place of the one that it was made from, and of no other', async () => {
    const stores = await open()
    const { apps } = stores
    const { id } = plainApp()
    const endpoints = [emailEndpoint(id, 1), emailEndpoint(id, 2)] as const
    const old = await addPlainApp(stores, plainApp({ id, endpoints: [...endpoints] }))
    const from = endpoints[1].secretSealed ?? bytes(1)
    const renewal = { appId: id, endpointId: endpoints[1].id, from, to: bytes(60) }

    const rivals = [renewal, { ...renewal, to: bytes(70) }]
    const renewed = await Promise.all(rivals.map(apps.renewSecret))
    const others = [
      { ...renewal, appId: 'unknown' },
      { ...renewal, endpointId: endpoints[0].id },
    ]

    expect(renewed.filter(Boolean)).toHaveLength(1)
    expect(await Promise.all(others.map(apps.renewSecret))).toEqual([false, false])
    const secretSealed = rivals[renewed.indexOf(true)]?.to ?? null
    expect(await apps.get(id)).toEqual({
      ...{ ...old, version: 2 },
      endpoints: [endpoints[0], { ...endpoints[1], secretSealed }],
    })
  })

  test('an endpoint is switched off once, and stays so until the app is changed', async () => {
    const stores = await open()
    const { apps } = stores
    const { id } = plainApp()
    const endpoints = [emailEndpoint(id, 1), emailEndpoint(id, 2)] as const
    const old = await addPlainApp(stores, plainApp({ id, endpoints: [...endpoints] }))
    const place = { appId: id, endpointId: endpoints[1].id, now: noon + 5 }

    const rivals = [place, { ...place, now: noon + 6 }]
    const switched = await Promise.all(rivals.map(apps.switchOff))
    const others = [
      { ...place, appId: 'unknown' },
      { ...place, endpointId: 'unknown' },
    ]

    expect(switched.filter(Boolean)).toHaveLength(1)
    expect(await Promise.all(others.map(apps.switchOff))).toEqual([false, false])
    const switchedAt = rivals[switched.indexOf(true)]?.now ?? 0
    const off = { ...endpoints[1], off: 'gone', updatedAt: switchedAt } as const
    expect(await apps.get(id)).toEqual({ ...old, version: 2, endpoints: [endpoints[0], off] })

    const { updatedAt } = old
    const given = { endpoints: [{ ...off, off: null }], expectedVersion: 2, updatedAt }
    await withAudit(stores, (append) => apps.update(id, given, append))
    expect((await apps.get(id))?.endpoints).toEqual([{ ...off, off: null }])
    expect(await apps.switchOff(place)).toBe(true)
  })
}
