import { timingSafeEqual } from 'node:crypto'
import type { Keyring } from '../domain/keyring.ts'
import type { Passwords, Random } from '../domain/ports.ts'
import { Problem } from '../domain/problem.ts'
import commonPasswords from './common-passwords.txt' with { type: 'text' }
import { argon2id, saltLength } from './passphrase.ts'

// More than OWASP's least (46 MiB and one pass); about 60 ms.
const inForce = { memoryKib: 47_104, passes: 2, lanes: 1, length: 32 }
/** Passwords that are worked on at a time, and that wait: each takes 46 MiB. */
const runningMax = 2
const waitingMax = 32

type Deps = { keyring: Pick<Keyring, 'passwordKey'>; random: Random }

/** Keeps passwords as argon2id with a key that is not in the database. */
export function createPasswords({ keyring, random }: Deps): Passwords {
  const inTurn = createQueue()
  const stretch = (text: string, options: typeof inForce & { salt: Uint8Array }) =>
    inTurn(() => argon2id(text, { ...options, secret: keyring.passwordKey() }))
  // What an unknown name is compared with, so that it takes as long.
  const nobody = phc({ ...inForce, salt: random.bytes(saltLength) }, random.bytes(inForce.length))

  return {
    isCommon,
    async hash(password) {
      const options = { ...inForce, salt: random.bytes(saltLength) }
      return phc(options, await stretch(password, options))
    },
    async matches(password, hash) {
      const read = readPhc(hash ?? nobody)
      if (!read) throw new Error('a stored password cannot be read')
      const { expected, ...options } = read
      const isSame = timingSafeEqual(await stretch(password, options), expected)
      return isSame && hash !== null
    },
  }
}

const common = new Set(commonPasswords.trim().split('\n'))

/** True for a common password, for two of them in a row, and for either with a few marks behind it. */
function isCommon(password: string): boolean {
  const text = password.toLowerCase()
  for (let cut = 0; cut <= 4; cut++) {
    const rest = text.slice(0, text.length - cut)
    if (cut > 0 && /[a-z]/.test(text.slice(-cut))) break
    if (common.has(rest)) return true
    for (let at = 4; at <= rest.length - 4; at++) {
      if (common.has(rest.slice(0, at)) && common.has(rest.slice(at))) return true
    }
  }
  return false
}

function phc(
  { memoryKib, passes, lanes, salt }: typeof inForce & { salt: Uint8Array },
  hash: Uint8Array,
) {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '')
  return `$argon2id$v=19$m=${memoryKib},t=${passes},p=${lanes}$${base64(salt)}$${base64(hash)}`
}

const phcForm = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([\w+/]+)\$([\w+/]+)$/

function readPhc(text: string) {
  const [, memory, passes, lanes, salt = '', hash = ''] = phcForm.exec(text) ?? []
  if (memory === undefined) return null
  const bytes = (part: string) => new Uint8Array(Buffer.from(part, 'base64'))
  const expected = bytes(hash)
  return {
    memoryKib: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
    length: expected.length,
    salt: bytes(salt),
    expected,
  }
}

/** Runs two works at a time; rejects with `rate_limited` where too many wait. */
function createQueue() {
  const waiting: (() => void)[] = []
  let running = 0

  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (running >= runningMax) {
      if (waiting.length >= waitingMax) {
        throw new Problem('rate_limited', { limit: 'sign_in', retryAfterSeconds: 5 })
      }
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running++
    try {
      return await work()
    } finally {
      // A work that waits takes the place over.
      const next = waiting.shift()
      if (next) next()
      else running--
    }
  }
}
