import { expect, test } from 'bun:test'
import { acceptLink } from '../../src/domain/account/accept.ts'
import { linkNewAccount } from '../../src/domain/account/accounts.ts'
import { codeAt, newSecret, readSecret } from '../../src/domain/account/second-step.ts'
import { findSession } from '../../src/domain/account/session.ts'
import { signIn } from '../../src/domain/account/sign-in.ts'
import { createKeyring } from '../../src/keys/keyring.ts'
import { loadKeyset } from '../../src/keys/keyset.ts'
import { createPasswords } from '../../src/keys/passwords.ts'
import { rotateMasterKey } from '../../src/keys/rotate.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { noon } from '../support/world.ts'

const key = (first: number) => ({
  kind: 'bytes' as const,
  bytes: new Uint8Array(32).map((_, index) => first + index),
})
const [keyA, keyB] = [key(1), key(50)]
const password = 'a quite long pass phrase'
const times = { idleMs: 1_800_000, lifeMs: 43_200_000 }
const browser = { browser: 'test', requestId: 'test' }

test('after a rotation people stay signed in, and sign in with password and second step', async () => {
  const store = await openSqliteStore({ path: ':memory:', timers: systemTimers })
  let now = noon
  const timers = { ...systemTimers, sleep: async () => {} }
  const at = { ...store, timers, clock: { now: () => now }, random: systemRandom }
  const portsWith = async (master: typeof keyA) => {
    const keyring = createKeyring(await loadKeyset(at, master), systemRandom)
    return { ...at, keyring, passwords: createPasswords({ keyring, random: systemRandom }) }
  }
  const before = await portsWith(keyA)
  const { text: token } = await linkNewAccount(before, { who: 'cli', requestId: null })
  const secret = newSecret(before)
  const code = () => codeAt(readSecret(secret), Math.floor(now / 30_000))
  const given = { token, name: 'Ada', password, secret, code: code(), client: 'a', ...browser }
  const { token: session } = await acceptLink(before, times, given)

  await rotateMasterKey(at, { oldMaster: keyA, newMaster: keyB, serverRuns: async () => false })

  const after = await portsWith(keyB)
  const found = await findSession(after, times, { token: session, isUse: true })
  expect(found?.account.name).toBe('Ada')
  expect(found?.account.secondStep?.key.keyId).toBe(after.keyring.keyset().currentId)
  now += 60_000
  const client = { name: 'a', wide: null }
  const again = { name: 'Ada', password, code: code(), client, ...browser }
  expect((await signIn(after, times, again)).account.name).toBe('Ada')
})
