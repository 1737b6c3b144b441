import { expect, test } from 'bun:test'
import { simpleParser } from 'mailparser'
import { createComposer } from '../../../src/channels/email/compose.ts'
import { mailOf } from '../../../src/channels/email/email.ts'
import type { Policy } from '../../../src/domain/app/policy.ts'
import type { Handover } from '../../../src/domain/delivery/delivery.ts'
import { lifeLeft } from '../../../src/domain/delivery/life.ts'
import { newTimedId } from '../../../src/domain/id.ts'
import { languages } from '../../../src/domain/language.ts'
import { newPageToken } from '../../../src/domain/page/page.ts'
import type { Template } from '../../../src/domain/template/template.ts'
import { pageWords } from '../../../src/messages/page-words.ts'
import { systemRandom } from '../../../src/system.ts'
import { appWith, handoverOf } from '../mail-fixtures.ts'

const sender = { from: 'codes@acme.test', fromName: 'Acme' }
const base = 'https://otp.example.com'
const both: Policy = { pageLink: true, reportLink: true }

function linked(policy: Policy, change: Partial<Handover> = {}) {
  const app = appWith({ policy })
  const reportSecret = policy.reportLink ? newPageToken(systemRandom) : null
  const verificationId = newTimedId(systemRandom, Date.UTC(2026, 5, 15))
  return handoverOf(app, { verificationId, reportSecret, ...change })
}

test.each(languages.map((language) => [language]))(
  'the links of a mail are whole in text and HTML, and the code is behind the #: %s',
  async (locale) => {
    const handover = linked(both, { locale })
    const { verificationId: id, code, reportSecret } = handover

    const raw = await createComposer().compose(mailOf(handover, base), sender, lifeLeft(600_000, 0))

    const { text = '', html } = await simpleParser(raw)
    const page = `${base}/verify/${id}#${code}`
    const report = `${base}/verify/${id}/report/${reportSecret}`
    const { title, reportTitle } = pageWords[locale]
    expect(text).toContain(`${title}\n${page}\n`)
    expect(text).toContain(`${reportTitle}\n${report}`)
    const links = [...String(html).matchAll(/<a href="([^"]*)"/g)].map(([, url]) => url)
    expect(links).toEqual([page, report])
  },
)

test('a mail has the links that the app wants, and none without an address of this server', async () => {
  const urls = async (policy: Policy, address: string | null) => {
    const composer = createComposer()
    const raw = await composer.compose(
      mailOf(linked(policy), address),
      sender,
      lifeLeft(600_000, 0),
    )
    const { text = '' } = await simpleParser(raw)
    return text.match(/https:\S+/g)?.map((url) => url.replace(/[0-9A-Za-z_-]{30,32}/g, 'x')) ?? []
  }

  expect(await urls({ pageLink: true }, base)).toEqual([`${base}/verify/x#483920`])
  expect(await urls({ reportLink: true }, base)).toEqual([`${base}/verify/x/report/x`])
  expect(await urls({}, base)).toEqual([])
  expect(await urls(both, null)).toEqual([])
})

test('mails with links are filled in, with the message that composing gives', async () => {
  for (const locale of ['en', 'ja', 'ar']) {
    const warm = createComposer()
    const life = lifeLeft(600_000, 0)
    const app = appWith({ policy: both })
    for (let index = 0; index < 20; index++) {
      const change = {
        locale,
        code: String(100_000 + index * 7919),
        reference: `A${index}`.padEnd(4, 'B'),
      }
      const handover = { ...linked(both, change), app }
      const alone = await createComposer().compose(mailOf(handover, base), sender, life)
      expect(await warm.compose(mailOf(handover, base), sender, life)).toBe(alone)
    }
    expect(warm.counts()).toEqual({ filled: 19, composed: 1 })
  }
})

test('mails of a template are filled in with their links too', async () => {
  const content: Template = {
    subject: '{{code}}',
    text: '{{code}}{{#page_link}}\n{{page_link}}{{/page_link}}\n{{report_link}}\n',
    html: '{{code}}{{#page_link}}<a href="{{page_link}}">Enter it</a>{{/page_link}}',
    variables: [],
  }
  const warm = createComposer()
  const life = lifeLeft(600_000, 0)
  const app = appWith({ policy: both })
  for (let index = 0; index < 20; index++) {
    const handover = { ...linked(both, { code: String(100_000 + index * 7919) }), app }
    const template = { locale: 'en', key: 'one', content }
    const job = { ...mailOf(handover, base), wording: { template, logo: null, brand: null } }
    const mail = await warm.compose(job, sender, life)
    expect(mail).toBe(await createComposer().compose(job, sender, life))
    const { text, html } = await simpleParser(mail)
    const page = `${base}/verify/${handover.verificationId}#${handover.code}`
    const report = `${base}/verify/${handover.verificationId}/report/${handover.reportSecret}`
    expect(text?.trim().split('\n').slice(0, 3)).toEqual([handover.code, page, report])
    expect(html).toContain(`<a href="${page}">Enter it</a>`)
  }
  expect(warm.counts()).toEqual({ filled: 19, composed: 1 })
})
