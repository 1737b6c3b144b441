import { describe } from 'bun:test'
import type { Stores } from '../../src/domain/stores.ts'
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

/** Opens a new, empty store. */
export type OpenStores = () => Promise<Stores>

/** The tests that every implementation of the store ports must pass. */
export function storeContract(name: string, open: OpenStores): void {
  describe(`${name}: starts`, () => startContract(open))
  describe(`${name}: routes`, () => routeContract(open))
  describe(`${name}: checks`, () => checkContract(open))
  describe(`${name}: verifications`, () => verificationContract(open))
  describe(`${name}: limits`, () => limitContract(open))
  describe(`${name}: deliveries`, () => deliveryContract(open))
  describe(`${name}: bounces`, () => bounceContract(open))
  describe(`${name}: reports`, () => reportContract(open))
  describe(`${name}: spending`, () => spendingContract(open))
  describe(`${name}: suppressions`, () => suppressionContract(open))
  describe(`${name}: bindings`, () => bindingContract(open))
  describe(`${name}: pages`, () => pageContract(open))
  describe(`${name}: webhooks`, () => webhookContract(open))
  describe(`${name}: apps`, () => appContract(open))
  describe(`${name}: accounts`, () => accountContract(open))
  describe(`${name}: templates`, () => templateContract(open))
  describe(`${name}: audit`, () => auditContract(open))
  describe(`${name}: records`, () => recordContract(open))
  describe(`${name}: learning`, () => learningContract(open))
  describe(`${name}: figures`, () => figureContract(open))
  describe(`${name}: sweep`, () => sweepContract(open))
}
