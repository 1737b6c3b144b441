import { expect, setDefaultTimeout, test } from 'bun:test'
import { readPassword } from '../../../src/domain/account/password.ts'
import { Problem } from '../../../src/domain/problem.ts'
import { createPasswords } from '../../../src/keys/passwords.ts'
import { systemRandom } from '../../../src/system.ts'

setDefaultTimeout(60_000)

const passwordKey = () => new Uint8Array(32)
const passwords = createPasswords({ keyring: { passwordKey }, random: systemRandom })

function judge(text: unknown, { name = 'Ada', hasSecondStep = false } = {}): string {
  try {
    const { isLong } = readPassword({ passwords }, text, { name, hasSecondStep })
    return isLong ? 'long' : 'short'
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const [mistake] = error.extra.errors ?? []
    expect(mistake?.field).toBe('password')
    expect(JSON.stringify(error.extra)).not.toContain(String(text) || 'nothing')
    return mistake?.reason ?? ''
  }
}

test('a password has fifteen characters, or eight beside a second step', () => {
  expect(judge('correct horse b')).toBe('long')
  expect(judge('correct horse ')).toContain('15 characters or more, or 8')
  expect(judge('zebra!9x', { hasSecondStep: true })).toBe('short')
  expect(judge('zebra!9', { hasSecondStep: true })).toContain('15 characters or more, or 8')
  // Characters, not units of UTF-16.
  expect(judge('🦓🐎🦄🐴🫏🐂🐃')).toContain('15 characters')
  expect(judge(`${'correct horse '.repeat(18)}four`)).toBe('long')
  expect(judge(`${'correct horse '.repeat(18)}four!`)).toContain('15 to 256')
  for (const wrong of [undefined, null, '', 7, ['a'.repeat(20)]]) {
    expect(judge(wrong)).toContain('characters')
  }
})

test.each([
  ['Password', 'many people use'],
  ['qwerty123', 'many people use'],
  ['password123!', 'many people use'],
  ['passwordpassword', 'many people use'],
  ['Password12345678', 'many people use'],
  ['iloveyou!!!!', 'many people use'],
  ['aaaaaaaaaaaaaaaaaaa', 'different characters'],
  ['abababababababababab', 'different characters'],
])('%s is refused, because it %s', (text, reason) => {
  expect(judge(text, { hasSecondStep: true })).toContain(reason)
})

test('a password does not hold the name, in any case or width', () => {
  expect(judge('my name is ADA lovelace', { name: 'Ada Lovelace' })).toBe('must not hold the name')
  expect(judge('ａｄａ lovelace is my name', { name: 'Ada Lovelace' })).toBe(
    'must not hold the name',
  )
  expect(judge('a quite long pass phrase', { name: 'Al' })).toBe('long')
})

test('a stored password is argon2id with a salt, and tells nothing without the key', async () => {
  const other = createPasswords({
    keyring: { passwordKey: () => new Uint8Array(32).fill(1) },
    random: systemRandom,
  })
  const [hash, again] = await Promise.all([1, 2].map(() => passwords.hash('a long pass phrase')))

  expect(hash).toMatch(/^\$argon2id\$v=19\$m=47104,t=2,p=1\$[\w+/]{22}\$[\w+/]{43}$/)
  expect(hash).not.toBe(again ?? '')
  expect(await passwords.matches('a long pass phrase', hash ?? '')).toBe(true)
  expect(await passwords.matches('a long pass phrasE', hash ?? '')).toBe(false)
  expect(await passwords.matches('', null)).toBe(false)
  expect(await other.matches('a long pass phrase', hash ?? '')).toBe(false)
})

test('of many passwords at once those beyond the queue are refused, and the others judged', async () => {
  const hash = await passwords.hash('a long pass phrase')
  const judged = await Promise.allSettled(
    Array.from({ length: 50 }, () => passwords.matches('a long pass phrase', hash)),
  )

  const refused = judged.filter(({ status }) => status === 'rejected')
  expect(refused).toHaveLength(16)
  const reason = refused[0]?.status === 'rejected' ? refused[0].reason : null
  expect(reason).toMatchObject({ code: 'rate_limited' })
  expect(judged.filter((one) => one.status === 'fulfilled' && one.value)).toHaveLength(34)
  expect(await passwords.matches('a long pass phrase', hash)).toBe(true)
})
