import { describe, expect, test } from 'bun:test'
import { createTurns } from '../../src/store/turns.ts'
import { systemTimers } from '../../src/system.ts'
import { times } from '../support/commands.ts'

describe('turns', () => {
  test('are taken one after another, in the order in which they were asked for', async () => {
    const inTurn = createTurns({ timers: systemTimers })
    const log: string[] = []
    const work = (name: string) => async () => {
      log.push(`${name} begins`)
      for (let steps = 0; steps < 5; steps++) await null
      log.push(`${name} ends`)
      return name
    }

    const names = await Promise.all(['a', 'b', 'c'].map((name) => inTurn(work(name))))

    expect(names).toEqual(['a', 'b', 'c'])
    expect(log).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]))
  })

  test('go on after one that fails, which alone is told', async () => {
    const inTurn = createTurns({ timers: systemTimers })
    const outcomes = await Promise.allSettled([
      inTurn(() => Promise.reject(new Error('no'))),
      inTurn(async () => 'yes'),
    ])

    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  })

  test('are refused where too many wait, and given again afterwards', async () => {
    const inTurn = createTurns({ timers: systemTimers, waitingMax: 3 })
    const first = Promise.withResolvers<void>()
    const running = inTurn(() => first.promise)
    const waiting = times(4, () => inTurn(async () => 'done').catch(({ code }) => code))

    first.resolve()

    await running
    expect(await Promise.all(waiting)).toEqual(['done', 'done', 'done', 'store_unavailable'])
    expect(await inTurn(async () => 'again')).toBe('again')
  })

  test('are refused after so long a wait, and those behind them are given', async () => {
    const late: (() => void)[] = []
    const waits: number[] = []
    const after = (ms: number, callback: () => void) => {
      waits.push(ms)
      late.push(callback)
      return () => void late.splice(late.indexOf(callback), 1)
    }
    const inTurn = createTurns({ timers: { after }, waitMs: 700 })
    const first = Promise.withResolvers<void>()
    const running = inTurn(() => first.promise)
    const [second, third] = times(2, () => inTurn(async () => 'done').catch(({ code }) => code))

    late[0]?.()
    first.resolve()

    await running
    expect(await Promise.all([second, third])).toEqual(['store_unavailable', 'done'])
    expect(waits).toEqual([700, 700])
    expect(late).toHaveLength(1)
  })
})
