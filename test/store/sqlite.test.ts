import { expect, test } from 'bun:test'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'
import { keyOf, noon, startCommand, sweepCommand, times } from '../support/commands.ts'
import { storeContract } from './contract.ts'

const open = () => openSqliteStore({ path: ':memory:', timers: systemTimers })

storeContract('sqlite', open)

test('sqlite: old verifications are deleted to the millisecond, the oldest first, so many at once', async () => {
  const { verifications, maintenance } = await open()
  const commands = times(5, (index) => startCommand({ now: noon + index }))
  for (const command of commands) await verifications.start(command)
  const left = async () => {
    const all = await Promise.all(commands.map((command) => verifications.get(keyOf(command))))
    return all.flatMap((each) => (each ? [each.createdAt - noon] : []))
  }

  const sweep = () =>
    maintenance.sweep(sweepCommand(noon, { verificationsBefore: noon + 4, limit: 2 }))
  await sweep()
  expect(await left()).toEqual([2, 3, 4])
  for (const _ of times(3, () => null)) await sweep()
  expect(await left()).toEqual([4])
})
