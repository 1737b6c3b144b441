import { expect, test } from 'bun:test'
import type { App } from '../../src/domain/app/app.ts'
import { newTimedId } from '../../src/domain/id.ts'
import type { Ports } from '../../src/domain/ports.ts'
import { type Binding, chatPlace } from '../../src/domain/telegram/binding.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { loadKeyset } from '../../src/keys/keyset.ts'
import { type RotationPorts, rotateMasterKey } from '../../src/keys/rotate.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { bytes } from '../support/commands.ts'
import { addApp, noon } from '../support/world.ts'

const key = (first: number) => ({
  kind: 'bytes' as const,
  bytes: new Uint8Array(32).map((_, index) => first + index),
})
const [keyA, keyB] = [key(1), key(50)]

/** An installation whose app has bindings with these chats. */
async function installation(chats: string[]) {
  const store = await openSqliteStore({ path: ':memory:', timers: systemTimers })
  // No server runs, so the rotation need not wait.
  const timers = { ...systemTimers, sleep: async () => {} }
  const at = { ...store, timers, clock: { now: () => noon }, random: systemRandom }
  const keyring = createKeyring(await loadKeyset(at, keyA), systemRandom)
  const place = { ...at, keyring }
  const { app } = await addApp(place)
  const bindings: Binding[] = []
  for (const chat of chats) bindings.push(await bind(place, app, chat))
  return { ...place, app, all: bindings }
}

async function bind(
  { bindings, keyring }: Pick<Ports, 'bindings' | 'keyring'>,
  app: App,
  chat: string,
) {
  const now = noon
  const binding: Binding = {
    ...{ id: newTimedId(systemRandom, now), appId: app.id, mode: 'live', bot: '7' },
    ...{ status: 'waiting', name: null, chatSealed: null, createdAt: now, expiresAt: now + 1000 },
  }
  const { appId, mode, id } = binding
  await bindings.add({ binding, linkHash: bytes(32), waitingMax: 9_999, now })
  const chatSealed = keyring.seal(appId, app.dataKey, chatPlace(id), chat)
  const asked = await bindings.ask({
    ...{ appId, mode, id, updateId: 1, chatIndex: bytes(16), chatSealed, name: 'A***' },
    ...{ keyId: app.dataKey.keyId, perChatMax: 9, now, expiresAt: now + 1000 },
  })
  expect(asked).toBe('asked')
  return binding
}

const rotation = { oldMaster: keyA, newMaster: keyB, serverRuns: async () => false }

async function chatOf(
  place: Awaited<ReturnType<typeof installation>>,
  { id, appId, mode }: Binding,
) {
  const app = await place.apps.get(appId)
  const binding = await place.bindings.get({ appId, mode, id })
  if (!app || !binding?.chatSealed) throw new Error('there is no chat')
  const keyring = createKeyring(await loadKeyset(place, keyB), systemRandom)
  return {
    text: keyring.open(appId, app.dataKey, chatPlace(id), binding.chatSealed),
    keyId: keyring.keyset().currentId,
    sealed: binding.chatSealed,
  }
}

test('a rotation seals every chat again, in more than one batch', async () => {
  const chats = Array.from({ length: 510 }, (_, index) => `chat ${index}`)
  const place = await installation(chats)
  const [first] = place.all
  if (!first) throw new Error('no binding')
  const before = (await place.bindings.get(first))?.chatSealed ?? null

  await rotateMasterKey(place, rotation)

  const { text, keyId, sealed } = await chatOf(place, first)
  expect(text).toBe('chat 0')
  expect(before).not.toEqual(sealed)
  expect(await place.bindings.sealedOtherwise(keyId, 999)).toEqual([])
  for (const [index, binding] of place.all.entries()) {
    if (index % 50 === 0) expect((await chatOf(place, binding)).text).toBe(`chat ${index}`)
  }
  // The old master key with the stolen row opens nothing any more.
  const app = await place.apps.get(first.appId)
  const thief = () =>
    place.keyring.open(first.appId, app?.dataKey ?? place.app.dataKey, chatPlace(first.id), sealed)
  expect(thief).toThrow()
})

test('a rotation that is killed while it reseals is finished by the next one', async () => {
  const place = await installation(['one', 'two'])
  const dying: RotationPorts = {
    ...place,
    bindings: {
      ...place.bindings,
      reseal: async (renewals) => {
        await place.bindings.reseal(renewals.slice(0, 1))
        throw new Error('killed')
      },
    },
  }
  await expect(rotateMasterKey(dying, rotation)).rejects.toThrow('killed')
  await rotateMasterKey(place, rotation)

  const chats = await Promise.all(place.all.map((binding) => chatOf(place, binding)))
  expect(chats.map(({ text }) => text)).toEqual(['one', 'two'])
})

test('a chat that is written during a rotation keeps no old key, and one that does not open is dropped', async () => {
  const place = await installation(['one', 'two', 'three'])
  const [one, two] = place.all
  if (!one || !two) throw new Error('no binding')
  const [, from] = await Promise.all([one, two].map((binding) => place.bindings.get(binding)))
  const broken = { id: two.id, appId: two.appId, from: from?.chatSealed ?? bytes(1) }
  await place.bindings.reseal([{ ...broken, to: bytes(60), keyId: place.app.dataKey.keyId }])
  const { renewKeys } = place.apps
  let isWritten = false
  place.apps.renewKeys = async (renewals) => {
    await renewKeys(renewals)
    if (isWritten) return
    isWritten = true
    // By a server that has read the app before.
    const late = bind(place, place.app, 'late')
    await expect(late).rejects.toThrow()
  }
  await rotateMasterKey(place, rotation)

  expect(isWritten).toBe(true)
  expect((await chatOf(place, one)).text).toBe('one')
  expect(await place.bindings.get(two)).toBe(null)
})
