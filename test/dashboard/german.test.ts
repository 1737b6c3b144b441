import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { germanOf, problems } from '../../src/dashboard/words/german.ts'
import { dkimFields } from '../../src/domain/app/dkim.ts'
import * as gateways from '../../src/domain/app/gateway-fields.ts'
import { policyFields } from '../../src/domain/app/policy.ts'
import { smtpFields } from '../../src/domain/app/smtp-fields.ts'
import { telegramFields } from '../../src/domain/app/telegram-fields.ts'
import * as ways from '../../src/domain/app/webhook-fields.ts'
import { type Field, mustBe } from '../../src/domain/field.ts'
import { problemTitles } from '../../src/domain/problem.ts'
import { webhookFields } from '../../src/domain/webhook/webhook.ts'

const source = join(import.meta.dir, '../../src')

test('every refusal of the server has a sentence in German, and the table has no others', () => {
  const codes = [...Object.keys(problemTitles), 'unreachable']

  expect(Object.keys(problems).toSorted()).toEqual(codes.toSorted())
  for (const [code, text] of Object.entries(problems))
    expect([code, text]).toEqual([code, text.trim()])
})

/** The fields that the domain describes, of which the dashboard has forms. */
const described: Record<string, Field>[] = [
  ...[policyFields, smtpFields, telegramFields, webhookFields, dkimFields],
  ...[ways.webhookFields, gateways.twilioFields, gateways.vonageFields, gateways.snsFields],
  ...[gateways.whatsappFields, gateways.telegramGatewayFields],
]

test('the rule of every described field is said in German', () => {
  const rules = described.flatMap((fields) => Object.values(fields).map(mustBe))

  expect(rules.length).toBeGreaterThan(80)
  expect(rules.filter((rule) => germanOf(rule) === null)).toEqual([])
})

/** Texts that begin as what is wrong with a field does; `7` stands where a value is put in. */
const beginning =
  /^(must |is missing|is not (a |for)|is in |is a number|is refused|has a name|needs a|may |there may|an? (tag|section|comment|value of) |sections may|elements may|names (have|may)|links are|the (image|braces|tags)|values are|templates include|this (<|name|language|text|comment)|logo is|no section|mails are|http-equiv may|CSS |line 7: .|inbox needs|7 may not)/
/** Those that other rules complete, and what is no sentence. */
const incomplete = /^must (be|have|hold)?[ 7]*$|each 7$|\$\{/

async function reasons(): Promise<string[]> {
  const found = new Set<string>()
  const folders = ['domain', 'messages', 'http/core', 'http/v1']
  const paths = folders.flatMap((folder) => [...new Bun.Glob(`${folder}/**/*.ts`).scanSync(source)])
  for (const path of paths) {
    if (/\/(locales|operations)\//.test(path)) continue
    const text = await Bun.file(join(source, path)).text()
    // Texts for docs are no reasons.
    const code = text.replace(/(says|description|help|file): *\n? *(['`])(?:\\.|(?!\2).)*\2/g, '')
    for (const [, quote, inside = ''] of code.matchAll(/(?<!\w)(['`])((?:\\.|(?!\1)[^\n])*)\1/g)) {
      const filled = inside.replace(/\$\{when\}/, '').replace(/\$\{[^}]*\}/g, '7')
      const reason = quote === "'" ? inside : filled
      if (beginning.test(reason) && !incomplete.test(reason))
        found.add(reason.replaceAll('\\\\', '\\'))
    }
  }
  return [...found]
}

test('what may be wrong with a field is said in German, wherever the server writes it', async () => {
  const all = await reasons()

  expect(all.length).toBeGreaterThan(80)
  expect(all.filter((reason) => germanOf(reason) === null)).toEqual([])
})

/** Sentences that are put together where they are written. */
test.each([
  'must be one e-mail address like ada@example.com or one telephone number with its country code, like +4917012345678 or the id of a Telegram recipient of this app',
  'must be a whole number from 1 to 100',
  'must be true or false',
  'must be a JSON object',
  'must be a string',
  'must be a string of 0 to 64 characters',
  'must be one of sms, whatsapp',
  'must be one of: ISO 3166 codes in capitals, like DE and GB',
  'line 3: <script> may not be in a mail',
  'line 3: this element may not be in a mail',
  'line 3: an attribute of this tag may not be in a mail',
])('is said in German: %s', (reason) => {
  expect(germanOf(reason)).not.toBeNull()
})

test('numbers and names stay as the server says them, and an unknown text has no translation', () => {
  expect(germanOf('must be a whole number from 6 to 10')).toBe(
    'muss eine ganze Zahl von 6 bis 10 sein',
  )
  expect(germanOf('must be "admin" or "viewer"')).toBe('muss „admin“ oder „viewer“ sein')
  expect(germanOf('line 12: names have no dots')).toBe('Zeile 12: Namen haben keine Punkte')
  expect(germanOf('must show {{code}}, also where first_name is empty')).toBe(
    'muss {{code}} zeigen, auch wenn first_name leer ist',
  )
  expect(germanOf('must be a rose by any other name')).toBeNull()
  expect(germanOf('wants more')).toBeNull()
})
