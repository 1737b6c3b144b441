import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { withFieldTables } from '../../scripts/api-tables.ts'
import { problemTitles } from '../../src/domain/problem.ts'
import { limitNames } from '../../src/domain/verification/limits.ts'
import { problemStatuses } from '../../src/http/core/problems.ts'
import { operations } from './fixture.ts'

const page = await Bun.file(join(import.meta.dir, '../../docs/api.md')).text()

test('docs/api.md has a section for every problem, with its status', () => {
  for (const [code, status] of Object.entries(problemStatuses)) {
    expect(page).toContain(`### \`${code}\` · ${status}\n`)
  }
  const sections = [...page.matchAll(/^### `([a-z_]+)` · \d+$/gm)].map(([, code]) => code)
  expect(sections.sort()).toEqual(Object.keys(problemTitles).sort())
})

test('docs/api.md names every route and every limit', () => {
  for (const [name] of operations) expect(page).toContain(`\`${name}\``)
  for (const limit of limitNames) expect(page).toContain(`\`${limit}\``)
})

test('the field tables of docs/api.md are made from the schemas (bun scripts/docs.ts)', async () => {
  expect(page).toContain('| `code_length` | 6 to 10 |')
  expect(page).toBe(await withFieldTables(page))
})
