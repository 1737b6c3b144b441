import type { Page } from 'playwright-core'
import { call } from '../test/e2e/client.ts'
import { type Dashboard, settled, startDashboard } from '../test/e2e/dashboard.ts'
import { executable } from '../test/support/executable.ts'
import { multiplyVerification } from '../test/support/multiply.ts'
import { besides, type Finding, finding } from './report.ts'
import type { Measure } from './run.ts'

const stored = 100_000
const few = 1000
const pages = 10

/** A task that blocks the page for longer is one that a person notices (RAIL). */
const blockedMs = 100

/**
 * How long the page is blocked at a time while an admin goes through a list of 100,000 verifications,
 * beside one of a thousand. Tasks below 50 ms count as 0: the Long Tasks API does not tell of them.
 */
export const dashboard: Measure = async (bench) => {
  executable()
  const shown = await startDashboard()
  try {
    const apps = { few: await fill(shown, few), many: await fill(shown, stored) }
    const longest: Record<keyof typeof apps, number[]> = { few: [], many: [] }
    for (let round = 0; round <= bench.rounds; round++) {
      bench.progress(`pages of the dashboard's list, round ${round} of ${bench.rounds}`)
      const done = {
        few: await goThrough(shown, apps.few),
        many: await goThrough(shown, apps.many),
      }
      // The first round warms up the database's cache.
      if (round > 0) for (const name of ['few', 'many'] as const) longest[name].push(done[name])
    }
    return [toFinding(longest)]
  } finally {
    await shown.close()
  }
}

function toFinding({ few: beside, many }: Record<'few' | 'many', number[]>): Finding {
  const what = `the longest task in the page, ${pages} pages of ${stored} verifications`
  const line = finding(what, 'ms', many)
  const ceiling = { what: `of ${few} verifications`, values: beside }
  const { ceiling: other } = besides(line, many, ceiling)
  return {
    ...line,
    ...(other && { ceiling: other }),
    judged: { figure: line.value, atMost: blockedMs },
  }
}

/** An app with so many verifications; answers its id. */
async function fill({ admin, server, env }: Dashboard, count: number): Promise<string> {
  const made = (await admin('POST', '/v1/apps', { name: `With ${count}` })).json
  const { id, test_key: token } = made as unknown as { id: string; test_key: string }
  const answer = await call(`${server.base}/v1/verifications`, { to: 'eve@example.com' }, { token })
  if (answer.status !== 201) throw new Error(`the start was refused: ${answer.text}`)
  multiplyVerification(String(env['OTPMINT_DATA_DIR']), count)
  return id
}

/** The longest task while the list is opened and paged through, in ms. */
async function goThrough(shown: Dashboard, app: string): Promise<number> {
  const { page } = await shown.open('/')
  await page.addInitScript(`
    window.longest = 0
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration)
    }).observe({ entryTypes: ['longtask'] })`)
  await page.goto(`${shown.server.dashboardUrl()}/#/verifications?app=${app}&mode=test`)
  await page.reload()
  await settled(page)
  for (let number = 2; number <= pages; number++) {
    await page.getByRole('button', { name: 'Next page' }).click()
    await page.getByText(`Page ${number}`).waitFor()
    await settled(page)
  }
  const longest = await longestOf(page)
  await page.context().close()
  return longest
}

async function longestOf(page: Page): Promise<number> {
  return Number(await page.evaluate('window.longest'))
}
