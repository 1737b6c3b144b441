import type { Account } from '../domain/account/account.ts'

/** An account as both stores have it; SQLite has 0 and 1 for booleans. */
export type AccountRow = Pick<
  Account,
  'id' | 'name' | 'role' | 'createdAt' | 'signedInAt' | 'removedAt'
> & {
  passwordHash: string | null
  passwordIsLong: boolean | 0 | 1
  secondStepKeyId: string | null
  secondStepKey: Uint8Array | null
  secondStepSealed: Uint8Array | null
  secondStepUsed: number | null
}

export function toAccount(row: AccountRow): Account {
  const { id, name, role, createdAt, signedInAt, removedAt, passwordHash } = row
  const { secondStepKeyId: keyId, secondStepKey: bytes, secondStepSealed: sealed } = row
  const isLong = Boolean(row.passwordIsLong)
  const secondStep = keyId !== null && bytes && sealed && { key: { keyId, bytes }, sealed }
  return {
    ...{ id, name, role, createdAt, signedInAt, removedAt },
    password: passwordHash === null ? null : { hash: passwordHash, isLong },
    secondStep: secondStep ? { ...secondStep, usedStep: row.secondStepUsed ?? 0 } : null,
  }
}

export function toAccountRow(account: Account) {
  const { id, name, role, createdAt, signedInAt, removedAt, password, secondStep } = account
  return {
    ...{ id, name, role, createdAt, signedInAt, removedAt },
    passwordHash: password?.hash ?? null,
    passwordIsLong: password?.isLong ?? false,
    secondStepKeyId: secondStep?.key.keyId ?? null,
    secondStepKey: secondStep?.key.bytes ?? null,
    secondStepSealed: secondStep?.sealed ?? null,
    secondStepUsed: secondStep?.usedStep ?? null,
  }
}
