import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { alarmKinds } from '../../src/domain/alarm.ts'
import { createMetrics } from '../../src/metrics.ts'

const root = join(import.meta.dir, '../..')
const guide = await Bun.file(join(root, 'docs/deployment.md')).text()

/** The names in the first column of the table below a heading. */
function names(heading: string): string[] {
  const section = guide.split(`### ${heading}\n`)[1]?.split(/\n##/)[0] ?? ''
  const cells = [...section.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)).sort()
}

/** Every event that the source logs; names with an inserted part are patterns. */
async function loggedEvents(): Promise<{ events: Set<string>; patterns: RegExp[] }> {
  const events = new Set<string>()
  const patterns: RegExp[] = []
  for await (const path of new Bun.Glob('src/**/*.ts').scan(root)) {
    const text = await Bun.file(join(root, path)).text()
    const calls = text.matchAll(/\blog(?:\.\w+|\[\w+\])\(\s*(['`])(.+?)\1/g)
    for (const [, quote, name = ''] of calls) {
      if (quote === "'") events.add(name)
      else patterns.push(new RegExp(`^${name.replace(/\$\{\w+\}/g, '\\w+')}$`))
    }
    // Periodic jobs log `<event>_failed`.
    for (const [, name] of text.matchAll(/periodic\([^)]*event: '(\w+)'/g)) {
      events.add(`${name}_failed`)
    }
  }
  return { events, patterns }
}

test('docs/deployment.md lists every event of the log, and no other', async () => {
  const { events, patterns } = await loggedEvents()
  const documented = names('Log')

  expect(events.size).toBeGreaterThan(20)
  expect([...events].filter((event) => !documented.includes(event))).toEqual([])
  const unknown = documented.filter((name) => {
    return !events.has(name) && !patterns.some((pattern) => pattern.test(name))
  })
  expect(unknown).toEqual([])
  for (const pattern of patterns) expect(documented.some((name) => pattern.test(name))).toBe(true)
})

test('docs/deployment.md lists every metric with its type and sentence, and no other', () => {
  const lines = createMetrics().render().split('\n')
  const rows = lines.flatMap((line, index) => {
    const [, name, says] = /^# HELP (\S+) (.*)$/.exec(line) ?? []
    const [, type] = /^# TYPE \S+ (\w+)$/.exec(lines[index + 1] ?? '') ?? []
    return name ? [`| \`${name}\` | ${type} | ${says} |`] : []
  })

  for (const row of rows) expect(guide).toContain(row)
  expect(names('Metrics')).toHaveLength(rows.length)
})

test('docs/deployment.md lists every alarm, and what to do about it', () => {
  expect(names('Alarms')).toEqual([...alarmKinds].sort())
})
