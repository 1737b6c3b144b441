import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { auditLink, storeContract } from './contract.ts'

storeContract('sqlite', async () => openSqliteStore({ path: ':memory:', auditLink }))
