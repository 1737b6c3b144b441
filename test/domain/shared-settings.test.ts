import { expect, test } from 'bun:test'
import { differingSettings } from '../../src/domain/shared-settings.ts'

const node = (settings?: Record<string, string>) => (settings ? { settings } : {})

test('settings that all nodes have alike do not differ, and others are named with their values', () => {
  const [one, other] = [node({ A: '1', B: '2', C: '3' }), node({ A: '1', B: '4', C: '5' })]

  expect(differingSettings([])).toEqual([])
  expect(differingSettings([one, one])).toEqual([])
  expect(differingSettings([other, one, one])).toEqual([
    { name: 'B', values: ['2', '4'] },
    { name: 'C', values: ['3', '5'] },
  ])
})

test('what a node of another version does not tell is no difference', () => {
  expect(differingSettings([node({ A: '1' }), node({ A: '1', B: '2' }), node()])).toEqual([])
})

test('of a secret there is the name only', () => {
  expect(differingSettings([node({ A: '#12' }), node({ A: '#34' })])).toEqual([
    { name: 'A', values: [] },
  ])
})
