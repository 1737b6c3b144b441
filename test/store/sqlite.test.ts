import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'
import { storeContract } from './contract.ts'

storeContract('sqlite', () => openSqliteStore({ path: ':memory:', timers: systemTimers }))
