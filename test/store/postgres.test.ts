import { afterAll, beforeAll, describe, setDefaultTimeout } from 'bun:test'
import { SQL } from 'bun'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres/store.ts'
import { systemRandom, systemTimers } from '../../src/system.ts'
import { type PostgresServer, startPostgres } from '../postgres/server.ts'
import { accountContract } from './contract-accounts.ts'
import { appContract } from './contract-apps.ts'
import { auditContract } from './contract-audit.ts'
import { bindingContract } from './contract-bindings.ts'
import { bounceContract } from './contract-bounces.ts'
import { checkContract } from './contract-checks.ts'
import { deliveryContract } from './contract-deliveries.ts'
import { figureContract } from './contract-figures.ts'
import { learningContract } from './contract-learning.ts'
import { limitContract } from './contract-limits.ts'
import { pageContract } from './contract-pages.ts'
import { recordContract } from './contract-records.ts'
import { reportContract } from './contract-reports.ts'
import { routeContract } from './contract-routes.ts'
import { spendingContract } from './contract-spending.ts'
import { startContract } from './contract-starts.ts'
import { suppressionContract } from './contract-suppressions.ts'
import { sweepContract } from './contract-sweep.ts'
import { templateContract } from './contract-templates.ts'
import { verificationContract } from './contract-verifications.ts'
import { webhookContract } from './contract-webhooks.ts'

setDefaultTimeout(60_000)

let server: PostgresServer
const opened: PostgresStore[] = []

beforeAll(async () => {
  server = await startPostgres()
})
afterAll(async () => {
  await Promise.all(opened.map((store) => store.close()))
  await server.stop()
})

async function open(): Promise<PostgresStore> {
  // A test has no more use for the stores of those before it.
  await Promise.all(opened.splice(0).map((store) => store.close()))
  const url = await server.create('otpmint')
  const connect = () => new SQL({ url, max: 1, prepare: false, bigint: true })
  const store = await openPostgresStore({ connect, timers: systemTimers, random: systemRandom })
  opened.push(store)
  return store
}

describe('postgres: starts', () => startContract(open))
describe('postgres: audit', () => auditContract(open))
describe('postgres: checks', () => checkContract(open))
describe('postgres: verifications', () => verificationContract(open))
describe('postgres: records', () => recordContract(open))
describe('postgres: limits', () => limitContract(open))
describe('postgres: spending', () => spendingContract(open))
describe('postgres: apps', () => appContract(open))
describe('postgres: accounts', () => accountContract(open))
describe('postgres: templates', () => templateContract(open))
describe('postgres: bindings', () => bindingContract(open))
describe('postgres: pages', () => pageContract(open))
describe('postgres: webhooks', () => webhookContract(open))
describe('postgres: learning', () => learningContract(open))
describe('postgres: figures', () => figureContract(open))
describe('postgres: sweep', () => sweepContract(open))
describe('postgres: routes', () => routeContract(open))
describe('postgres: deliveries', () => deliveryContract(open))
describe('postgres: bounces', () => bounceContract(open))
describe('postgres: reports', () => reportContract(open))
describe('postgres: suppressions', () => suppressionContract(open))
