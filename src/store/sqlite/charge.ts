import type { Database } from 'bun:sqlite'
import type { AttemptCommand } from '../../domain/stores.ts'
import type { Verification, VerificationKey } from '../../domain/verification/verification.ts'
import {
  isPending,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from './verification-row.ts'

/**
 * One statement that spends an attempt and judges it, under the condition that `isRight` says. Its
 * columns are in no index: a wrong code changes one row and nothing else.
 */
export function chargeStatement({ isKnown, isRight }: Keys): string {
  return `
    update verifications
    set attempts_spent = attempts_spent + 1,
      status = case when ${isRight} then 'approved' else status end
    where id = $id and app_id = $appId and mode = $mode and ${isPending}
      and code_length = $length and code_format = $format and ${isKnown}
    returning ${verificationColumns}`
}

/** SQL conditions: the row's key is in use, and the code is right under it. */
type Keys = { isKnown: string; isRight: string }

/** With one key, the usual case. */
export const oneKey: Keys = { isKnown: 'code_key_id = $keyId', isRight: 'code_digest = $digest' }
/** With any number of keys: `$digests` is JSON, hex by key id. */
const manyKeys: Keys = {
  isKnown: '$digests ->> code_key_id is not null',
  isRight: 'code_digest = unhex($digests ->> code_key_id)',
}

type Attempt = VerificationKey & Pick<AttemptCommand, 'format' | 'length' | 'now'>

/** Null when there is nothing to charge. */
export function createCharge(database: Database): (command: AttemptCommand) => Verification | null {
  const one = database.prepare<VerificationRow, Attempt & { keyId: string; digest: Uint8Array }>(
    chargeStatement(oneKey),
  )
  const many = database.prepare<VerificationRow, Attempt & { digests: string }>(
    chargeStatement(manyKeys),
  )

  return ({ digests, ...attempt }) => {
    const [first, ...others] = digests
    const row =
      first && others.length === 0
        ? one.get({ ...attempt, ...first })
        : many.get({ ...attempt, digests: toJson(digests) })
    return row ? toVerification(row) : null
  }
}

function toJson(digests: AttemptCommand['digests']): string {
  return JSON.stringify(
    Object.fromEntries(
      digests.map(({ keyId, digest }) => [keyId, Buffer.from(digest).toString('hex')]),
    ),
  )
}
