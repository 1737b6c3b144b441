import { expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { scalingTables } from '../../bench/scaling.ts'

setDefaultTimeout(60_000)

test('docs/scaling.md shows the tables as they are computed', () => {
  const page = readFileSync(join(import.meta.dir, '../../docs/scaling.md'), 'utf8')
  const tables = scalingTables()

  expect(tables.length).toBe(7)
  for (const table of tables) expect(page).toContain(table)
})
