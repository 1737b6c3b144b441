import { expect, test } from 'bun:test'
import type { AccountStore } from '../../src/domain/account/store.ts'
import { Problem } from '../../src/domain/problem.ts'
import { dashboardLine } from '../../src/runtime/listeners.ts'

const url = 'http://127.0.0.1:5001'
const lineOf = (list: () => Promise<unknown[]>) => {
  return dashboardLine({ accounts: { list } as unknown as AccountStore }, url)
}

test('the log names the command for a first account only while there is none', async () => {
  expect((await lineOf(async () => [])).detail).toContain('"otpmint dashboard link"')
  expect(await lineOf(async () => [{}])).toEqual({ url })
})

test('a store that cannot be read just then does not stop a server that serves already', async () => {
  expect(await lineOf(() => Promise.reject(new Problem('store_unavailable')))).toEqual({ url })
})
