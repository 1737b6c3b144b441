import { expect, test } from 'bun:test'
import type { SettleCommand } from '../../src/domain/stores.ts'
import { createLedger } from '../../src/jobs/send-ledger.ts'

const end = (id: string): SettleCommand => ({
  appId: 'app',
  id,
  verificationId: 'v',
  status: 'sent',
  detail: null,
  retryAt: null,
  now: 0,
})

test('ends that come one after another are handed to the store in one go, every time', async () => {
  const groups: string[][] = []
  let group: string[] = []
  const ledger = createLedger({
    settle: async ({ id }) => {
      group.push(id)
      setImmediate(() => {
        if (group.length > 0) groups.push(group)
        group = []
      })
    },
  })
  for (const ids of ['abc', 'de']) {
    const ends: Promise<void>[] = []
    for (const id of ids) {
      ends.push(ledger.settle(end(id)))
      await Bun.sleep(2)
    }
    await Promise.all(ends)
  }
  await ledger.drain()
  await Bun.sleep(0)

  expect(groups.map((ids) => ids.join(''))).toEqual(['abc', 'de'])
})

test('draining waits for what is not written yet, and for what cannot be', async () => {
  const written: string[] = []
  const ledger = createLedger({
    settle: async ({ id }) => {
      if (id === 'b') throw new Error('disk full')
      written.push(id)
    },
  })
  const failed = ledger.settle(end('b')).catch(() => 'failed')
  ledger.settle(end('a'))

  await ledger.drain()

  expect(written).toEqual(['a'])
  expect(await failed).toBe('failed')
})
