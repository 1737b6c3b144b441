import type { Ports } from '../ports.ts'
import { invalidField } from '../problem.ts'
import { foldName, type StoredPassword } from './account.ts'

/** The fewest characters of a password, alone and with a second step (NIST SP 800-63B-4). */
export const aloneMin = 15
export const withSecondStepMin = 8
export const passwordMax = 256
/** A password of fewer different characters is easily guessed, whatever its length. */
const differentMin = 5
/** A shorter name is held by many good passwords by chance. */
const nameMin = 3

/** What somebody chose as password. */
export type ChosenPassword = { text: string; isLong: boolean }

/**
 * Judges a password that somebody chooses. Throws `invalid_request` with the field, and never with the
 * password.
 */
export function readPassword(
  { passwords }: Pick<Ports, 'passwords'>,
  value: unknown,
  { name, hasSecondStep }: { name: string; hasSecondStep: boolean },
): ChosenPassword {
  const text = normalPassword(value)
  if (text === null) throw wrong(`must be ${aloneMin} to ${passwordMax} characters`)
  const characters = [...text]
  if (characters.length < (hasSecondStep ? withSecondStepMin : aloneMin)) {
    throw wrong(
      `must be ${aloneMin} characters or more, or ${withSecondStepMin} or more with a second step`,
    )
  }
  if (new Set(characters).size < differentMin) {
    throw wrong(`must have ${differentMin} different characters or more`)
  }
  if (passwords.isCommon(text)) throw wrong('must not be one that many people use')
  const folded = foldName(name)
  if (folded.length >= nameMin && foldName(text).includes(folded)) {
    throw wrong('must not hold the name')
  }
  return { text, isLong: characters.length >= aloneMin }
}

/** One spelling of a password, whatever the keyboard; null for what none can be. */
export function normalPassword(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > 4 * passwordMax) return null
  const text = value.normalize('NFC')
  const { length } = [...text]
  return length > 0 && length <= passwordMax ? text : null
}

export async function storedPassword(
  { passwords }: Pick<Ports, 'passwords'>,
  { text, isLong }: ChosenPassword,
): Promise<StoredPassword> {
  return { hash: await passwords.hash(text), isLong }
}

function wrong(reason: string) {
  return invalidField('password', reason)
}
