import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyIdOf } from '../../src/keys/keyset.ts'
import { createNextKey, readNextKey } from '../../src/keys/next-key.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'

// Stretching a passphrase takes long on a busy machine.
setDefaultTimeout(60_000)

const folder = mkdtempSync(join(tmpdir(), 'otpmint-next-key-'))
afterAll(() => rmSync(folder, { recursive: true }))
const nextFile = join(folder, 'next')
const bytes = systemRandom.bytes(32)
const text = Buffer.from(bytes).toString('base64')
const write = (content: string) => writeFileSync(nextFile, content, { mode: 0o600 })
const place = { nextFile, credentialsDirectory: null }

async function nodes() {
  const { meta } = await openSqliteStore({ path: ':memory:', timers: systemTimers })
  const node = () => createNextKey({ meta, random: systemRandom }, place)
  return [node(), node()] as const
}

test('a node tells the id of the key that the file has now, and none while it has none', async () => {
  const [node] = await nodes()
  rmSync(nextFile, { force: true })
  expect(await node.id()).toBeNull()
  write(text)
  expect(await node.id()).toBe(keyIdOf(bytes))
  write('too short')
  expect([await node.id(), node.read()]).toEqual([null, null])
  expect(await createNextKey({} as never, { ...place, nextFile: null }).id()).toBeNull()
})

test('a passphrase has the same id on every node, and another one for another passphrase', async () => {
  const [a, b] = await nodes()
  write('passphrase:correct horse battery staple')
  const [first, second] = await Promise.all([a.id(), b.id()])
  expect(first).toBe(second)
  write('passphrase:correct horse battery stable')
  expect(await a.id()).not.toBe(first)
})

test('the file must be its owner’s, unless systemd’s directory of credentials protects it', () => {
  write(text)
  chmodSync(nextFile, 0o440)
  expect(() => readNextKey(place)).toThrow('must be readable by its owner only')
  expect(readNextKey({ nextFile, credentialsDirectory: folder })).toMatchObject({ kind: 'bytes' })
  chmodSync(nextFile, 0o600)
})
