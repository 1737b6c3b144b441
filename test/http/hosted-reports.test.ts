import { expect, test } from 'bun:test'
import { linkSecret } from '../../src/domain/page/page.ts'
import { reportsMax } from '../../src/domain/page/reports.ts'
import { createReportWatch } from '../../src/jobs/report-watch.ts'
import { steppedTimers } from '../jobs/fixture.ts'
import type { Site } from './fixture.ts'
import { browser, hostedSite, startPage, statusOf } from './hosted-fixture.ts'

const fieldOf = (text: string) => /name="form" value="([A-Za-z0-9_-]{32})"/.exec(text)?.[1] ?? ''

async function reportable(at: Site, body: object = {}) {
  const started = await startPage(at, body)
  const key = { appId: at.app.id, mode: 'live' as const, id: started.id }
  return {
    ...started,
    link: `/verify/${started.id}/report/${linkSecret(at.keyring, 'report', key)}`,
  }
}

async function press(at: Site, link: string) {
  const one = browser(at)
  const form = fieldOf((await one.get(link)).text)
  return one.post(link, { action: 'report', form })
}

const reports = async (at: Site) => {
  const query = { appId: at.app.id, type: 'verification.reported' as const, limit: 9, cursor: null }
  return (await at.events.list(query)).items.length
}

test('a mail carries the link of its report where the app wants it, and no other mail does', async () => {
  const at = await hostedSite({ policy: { reportLink: true } })
  const { link } = await reportable(at)
  expect(link).toEndWith(`/report/${at.sent.at(-1)?.handover.reportSecret}`)
  const without = await hostedSite()
  await startPage(without)
  expect(without.sent.at(-1)?.handover.reportSecret).toBeNull()
})

test('a second press reports, once, and cancels what is pending', async () => {
  const at = await hostedSite()
  const { id, link } = await reportable(at)
  const one = browser(at)
  const page = await one.get(link)
  expect([page.status, page.text]).toEqual([200, expect.stringContaining('Was this not you?')])
  expect(await statusOf(at, id)).toEqual(['pending', 5])

  const form = fieldOf(page.text)
  const answer = await one.post(link, { action: 'report', form })
  const again = await one.post(link, { action: 'report', form })

  expect(answer.text).toContain('Thank you. It was reported.')
  expect([answer.status, again.status]).toEqual([200, 200])
  expect([await statusOf(at, id), await reports(at)]).toEqual([['canceled', 5], 1])
})

test('a verification that was approved or has expired is reported too, and stays as it is', async () => {
  const at = await hostedSite()
  const used = await reportable(at)
  await at.call('POST', `/v1/verifications/${used.id}/check`, { body: { code: used.code } })
  const old = await reportable(at, { to: 'grace@example.com' })
  at.clock.advance(601_000)

  expect((await press(at, used.link)).status).toBe(200)
  expect((await press(at, old.link)).status).toBe(200)
  expect([await statusOf(at, used.id), await statusOf(at, old.id)]).toEqual([
    ['approved', 4],
    ['expired', 5],
  ])
  expect(await reports(at)).toBe(2)
})

test('nothing is reported by GET, HEAD, or a POST without the cookie, the field and the button', async () => {
  const at = await hostedSite({ settings: { ipFailuresPerMinute: 100 } })
  const { id, link, path } = await reportable(at)
  const one = browser(at)
  for (let time = 0; time < 10; time++) {
    await one.get(link)
    await one.head(link)
  }
  const form = fieldOf((await one.get(link)).text)
  const cookie = one.cookie()
  const wrong: [cookie: string, fields: Record<string, string>][] = [
    ['', { action: 'report', form }],
    [cookie, { action: 'report' }],
    [cookie, { action: 'report', form: 'A'.repeat(32) }],
    [cookie, { form }],
    [cookie, { action: 'no', form }],
  ]
  for (const [kept, fields] of wrong) {
    const scanner = browser(at, '198.51.100.7')
    scanner.take(kept)
    expect((await scanner.post(link, fields)).status).toBe(403)
  }

  // The secret of the page is none of the report, and the other way round.
  const [, , , secret = ''] = path.split('/')
  expect((await one.get(`/verify/${id}/report/${secret}`)).status).toBe(404)
  const [, , , , own = ''] = link.split('/')
  expect((await one.get(`/verify/${id}/${own}`)).status).toBe(404)
  expect([await statusOf(at, id), await reports(at)]).toEqual([['pending', 5], 0])
})

test('wrong links of reports are refused after ten in a minute', async () => {
  const at = await hostedSite()
  const { id } = await reportable(at)
  const guesser = browser(at, '198.51.100.9')
  const statuses = []
  for (let index = 0; index < 11; index++) {
    const secret = String(index).padStart(32, 'A')
    statuses.push((await guesser.get(`/verify/${id}/report/${secret}`)).status)
  }
  expect(statuses).toEqual([...Array(10).fill(404), 429])
})

test('an app has an alarm while more than five of its verifications were reported in a day', async () => {
  const at = await hostedSite({ settings: { recipientStartSpacingSeconds: 1 } })
  const { timers, pass } = steppedTimers()
  const watch = createReportWatch({ ...at, log: at.ports.log, timers })
  const watched = async () => {
    await pass(10_000)
    const query = { appId: at.app.id, open: true, limit: 9, cursor: null }
    return (await at.alarms.list(query)).items.map(({ kind }) => kind)
  }
  watch.start()
  const links = []
  for (let index = 0; index <= reportsMax; index++) {
    links.push((await reportable(at, { to: `person${index}@example.com` })).link)
  }
  for (const link of links.slice(0, reportsMax)) {
    await press(at, link)
    await press(at, link)
  }
  expect(await watched()).toEqual([])
  await press(at, links.at(-1) ?? '')
  expect(await watched()).toEqual(['not_asked_for'])
  at.clock.advance(86_400_001)
  expect(await watched()).toEqual([])
  await watch.stop()
})
