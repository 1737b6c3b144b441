import type { SealPlace } from '../keyring.ts'
import type { Ports } from '../ports.ts'
import { invalidField } from '../problem.ts'
import type { SecondStep } from './account.ts'

/** Time-based codes as authenticator apps make them (RFC 6238): SHA-1, 6 digits, 30 seconds. */
const stepMs = 30_000
const digits = 6
const secretBytes = 20
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A new secret in base32, as authenticator apps take it. */
export function newSecret({ random }: Pick<Ports, 'random'>): string {
  return base32(random.bytes(secretBytes))
}

/** The address that an authenticator app reads from a QR code. */
export function secretUri(secret: string, name: string): string {
  const label = `OtpMint:${name === '' ? 'dashboard' : name}`
  return `otpauth://totp/${encodeURIComponent(label)}?secret=${secret}&issuer=OtpMint`
}

/** The secret of 160 bits in base32. Throws `invalid_request`. */
export function readSecret(value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? fromBase32(value) : null
  if (bytes?.length !== secretBytes) throw invalidField('secret', 'must be the one that was shown')
  return bytes
}

/** The code of a time step. */
export function codeAt(secret: Uint8Array, step: number): string {
  const counter = new Uint8Array(8)
  new DataView(counter.buffer).setBigUint64(0, BigInt(step))
  const mac = new Bun.CryptoHasher('sha1', secret).update(counter).digest()
  const offset = (mac.at(-1) ?? 0) & 15
  const number = new DataView(mac.buffer, mac.byteOffset + offset, 4).getUint32(0) & 0x7fffffff
  return String(number % 10 ** digits).padStart(digits, '0')
}

/**
 * The time step that this code belongs to: now, or one before or after, because clocks differ. Null
 * for a wrong code, and for one of a step that was used or lies before it.
 */
export function stepOf(
  secret: Uint8Array,
  code: unknown,
  { now, usedStep }: { now: number; usedStep: number },
): number | null {
  if (typeof code !== 'string' || code.length > 20) return null
  const typed = code.replace(/\s/g, '')
  const current = Math.floor(now / stepMs)
  const steps = [current - 1, current, current + 1].filter((step) => step > usedStep)
  return steps.find((step) => codeAt(secret, step) === typed) ?? null
}

/** A second step that begins with this code. Throws `invalid_request`. */
export function beginSecondStep(
  { keyring, clock }: Pick<Ports, 'keyring' | 'clock'>,
  { accountId, secret, code }: { accountId: string; secret: unknown; code: unknown },
): SecondStep {
  const bytes = readSecret(secret)
  const usedStep = stepOf(bytes, code, { now: clock.now(), usedStep: 0 })
  if (usedStep === null) throw invalidField('code', 'must be the code that your app shows now')
  const key = keyring.newDataKey(scopeOf(accountId))
  const sealed = keyring.seal(scopeOf(accountId), key, placeOf(accountId), base32(bytes))
  return { key, sealed, usedStep }
}

/** The time step of a right code for a stored second step; null for a wrong or used one. */
export function usedStepOf(
  { keyring, clock }: Pick<Ports, 'keyring' | 'clock'>,
  accountId: string,
  { secondStep, code }: { secondStep: SecondStep; code: unknown },
): number | null {
  const { key, sealed, usedStep } = secondStep
  const secret = keyring.open(scopeOf(accountId), key, placeOf(accountId), sealed)
  return stepOf(readSecret(secret), code, { now: clock.now(), usedStep })
}

/** The same secret under the keys of a new master key. */
export function resealSecondStep(
  keyring: Pick<Ports['keyring'], 'open' | 'seal' | 'newDataKey'>,
  accountId: string,
  { key: former, sealed }: SecondStep,
): Pick<SecondStep, 'key' | 'sealed'> {
  const secret = keyring.open(scopeOf(accountId), former, placeOf(accountId), sealed)
  const key = keyring.newDataKey(scopeOf(accountId))
  return { key, sealed: keyring.seal(scopeOf(accountId), key, placeOf(accountId), secret) }
}

/** Keeps the data keys of accounts apart from those of apps. */
function scopeOf(accountId: string): string {
  return `account ${accountId}`
}

function placeOf(accountId: string): SealPlace {
  return { table: 'accounts', row: accountId, column: 'second_step_sealed' }
}

function base32(bytes: Uint8Array): string {
  let text = ''
  let value = 0
  let bits = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet.charAt((value >> (bits - 5)) & 31)
    value &= 31
  }
  return text
}

/** Null for anything but whole bytes in base32, which may have spaces. */
function fromBase32(text: string): Uint8Array | null {
  const letters = text.replace(/\s/g, '').toUpperCase()
  if (letters.length % 8 !== 0 || letters.length > 64) return null
  const bytes: number[] = []
  let value = 0
  let bits = 0
  for (const letter of letters) {
    const digit = alphabet.indexOf(letter)
    if (digit < 0) return null
    value = (value << 5) | digit
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push((value >> bits) & 255)
      value &= (1 << bits) - 1
    }
  }
  return new Uint8Array(bytes)
}
