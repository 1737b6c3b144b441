import { expect, test } from 'bun:test'
import { isWellFormed } from '../../scripts/commit-subject.ts'

test.each([
  'feat(keys): rotate the master key while the server runs',
  'fix: embed the assets',
  'build(deps)!: pass the frozen lockfile to npm, as CI does',
  'docs: say why',
  'style(keys,config): keep within a hundred columns',
])('a subject in the imperative is accepted: %s', (subject) => {
  expect(isWellFormed(subject)).toBe(true)
})

test.each([
  'rotate the master key',
  'feat(keys): rotated the master key',
  'feat(keys): rotates the master key',
  'feat(keys): rotating the master key',
  'feat(keys): Rotate the master key',
  'feat(Keys): rotate the master key',
  'feat(keys) rotate the master key',
  'feature: rotate the master key',
  'feat(keys): rotate the master key.',
  `feat: rotate ${'x'.repeat(100)}`,
  'WIP',
])('any other subject is refused: %s', (subject) => {
  expect(isWellFormed(subject)).toBe(false)
})
