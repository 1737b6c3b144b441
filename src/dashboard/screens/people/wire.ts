import type { presentAccount, presentSessionRow } from '../../../present/accounts.ts'

export type Account = ReturnType<typeof presentAccount>
export type Invited = Account & { link: string | null; link_expires_at: string }
export type SessionRow = ReturnType<typeof presentSessionRow>
