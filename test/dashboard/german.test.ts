import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { germanFinding, germanOf, problems } from '../../src/dashboard/words/german.ts'
import { alarmAdvice } from '../../src/domain/alarm.ts'
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

/** Where the server puts into words what it finds out, and the steps of a test. */
const finders = [
  ...['runtime/doctor/*.ts', 'runtime/health.ts', 'channels/mail-dns/advice.ts'],
  ...['channels/email/dialogue.ts', 'channels/email/smtp-advice.ts', 'channels/telegram/probe.ts'],
  ...['channels/http-outcome.ts', 'domain/template/advice.ts', 'domain/learning/chosen.ts'],
]
/** Names of modules and records, commands, and what is for the log only. */
const noSentence =
  /^(\.|node:|v=|[^ ]*$)|^[^a-z]*$|ALTER ROLE|^chmod|^otpmint (app|endpoint|webhook) update|^open files,|\.test\(/
/** Parts of sentences, and sentences that begin or end with a part: they are in the table below. */
const partPattern =
  /^7[ ;:,]|[^ ]7\.?$|77|\$\{|^ |^, |^(7 )*7 ms$|^(The|the) \w+$|^(is|has|a|an|not) |^app 7|^"/
const parts = [
  ...['nothing that matters here', 'publish it, then 7', 'have your mail server sign, 7'],
  ...['the data directory', 'the SPF record 7', 'The login7: none is offered.'],
  ...['or sign here: "otpmint dkim add 7 --domain 7"', 'run "otpmint dkim check 7"'],
  'The connection is encrypted (7), with 7.',
]
const isPart = (text: string) => partPattern.test(text) || parts.includes(text)

/** The sentences of a file; `7` stands where a value is put in, and what is joined is one. */
async function sentencesOf(path: string): Promise<string[]> {
  const text = await Bun.file(join(source, path)).text()
  const code = text
    .replace(/^ *(\/\*\*| \*|\/\/).*$/gm, '')
    .replace(/\$\{[^{}`]*\}/g, '7')
    .replace(/(['`])\s*\+\n\s*(['`])/g, '')
  return [...code.matchAll(/(?<!\w)(['`])((?:\\.|(?!\1)[^\n])*)\1/g)].map(
    ([, , inside = '']) => inside,
  )
}

test('what the server finds out is said in German, wherever it is put into words', async () => {
  const paths = finders.flatMap((glob) => [...new Bun.Glob(glob).scanSync(source)])
  const all = (await Promise.all(paths.map(sentencesOf))).flat()
  const sentences = [...new Set(all)].filter((each) => !noSentence.test(each))

  expect(paths.length).toBeGreaterThan(12)
  expect(sentences.length).toBeGreaterThan(150)
  const unknown = sentences.filter((each) => germanFinding(each) === null)
  expect(unknown.filter((each) => !isPart(each))).toEqual([])
})

test.each([
  [
    'The login was refused; check user and password, or make an app password. It said: 535 5.7.8 no; try again',
    'Die Anmeldung wurde abgelehnt; Benutzer und Passwort prüfen, oder ein App-Passwort anlegen. Er sagte: 535 5.7.8 no; try again',
  ],
  [
    'smtp.acme.test:587 login: The login was refused',
    'smtp.acme.test:587 Anmeldung: Die Anmeldung wurde abgelehnt',
  ],
  [
    'acme.test has the addresses 10.0.0.1, 10.0.0.2.',
    'acme.test hat die Adressen 10.0.0.1, 10.0.0.2.',
  ],
  [
    'It offers SIZE 10, DSN. Logins: PLAIN, LOGIN.',
    'Er bietet SIZE 10, DSN. Anmeldungen: PLAIN, LOGIN.',
  ],
  [
    'It offers nothing that matters here. It offers no login.',
    'Er bietet nichts, was hier zählt. Er bietet keine Anmeldung.',
  ],
  [
    'The login was accepted (PLAIN). It said: 235 ok',
    'Die Anmeldung wurde angenommen (PLAIN). Er sagte: 235 ok',
  ],
  [
    'The connection is encrypted (TLSv1.3), with a certificate for a.test by Acme CA, valid until 2027-01-01.',
    'Die Verbindung ist verschlüsselt (TLSv1.3), mit einem Zertifikat für a.test von Acme CA, gültig bis 2027-01-01.',
  ],
  [
    'The recipient was put off. It said: 450 later',
    'Der Empfänger wurde aufgeschoben. Er sagte: 450 later',
  ],
  ['The message was refused.', 'Die Nachricht wurde abgelehnt.'],
  [
    'No encryption was agreed on at a.test:25; try security "tls" (usual on 465).',
    'Mit a.test:25 kam keine Verschlüsselung zustande; „tls“ versuchen (üblich bei 465).',
  ],
  [
    'key k1 from OTPMINT_MASTER_KEY_FILE; not in backups: keep a copy',
    'Schlüssel k1 aus OTPMINT_MASTER_KEY_FILE; nicht in Backups: eine Kopie aufbewahren',
  ],
  [
    'the SPF record includes b.test, which has none',
    'der SPF-Eintrag schließt b.test ein, wo keiner ist',
  ],
  [
    'k._domainkey.a.test is another record in the DNS; its key does not sign',
    'k._domainkey.a.test ist im DNS ein anderer Eintrag; der Schlüssel signiert nicht',
  ],
  [
    'k._domainkey.a.test is not in the DNS, and its key signs: signatures are wrong',
    'k._domainkey.a.test steht nicht im DNS, und der Schlüssel signiert: die Signaturen sind falsch',
  ],
  [
    'publish it, then run "otpmint dkim check x"',
    'veröffentlichen, dann „otpmint dkim check x“ ausführen',
  ],
  [
    'DKIM and SPF vouch for a.test; mail that fails is refused',
    'DKIM und SPF stehen für a.test ein; was durchfällt, wird abgelehnt',
  ],
  [
    'https://a.test/hook: the receiver answered 200; it is off',
    'https://a.test/hook: der Empfänger antwortete 200; er ist aus',
  ],
  ['Twilio did not answer in time.', 'Twilio antwortete nicht rechtzeitig.'],
  ['The Bot API answers 500: busy.', 'Die Bot-API antwortet 500: busy.'],
  [
    '2 live, 1 of them with a next master key',
    '2 laufen, 1 davon mit einem nächsten Hauptschlüssel',
  ],
  [
    '127.0.0.1:9 resolve: 127.0.0.1 is an address.',
    '127.0.0.1:9 Name: 127.0.0.1 ist eine Adresse.',
  ],
  [
    'version 0.1.0, pid 4, http://127.0.0.1:5000, since 2026-11-30',
    'Version 0.1.0, PID 4, http://127.0.0.1:5000, seit 2026-11-30',
  ],
  [
    '83 % approved here, 71 % and nothing known there, weighed by cost',
    'hier 83 % bestätigt, dort 71 % und nichts bekannt, nach Kosten gewichtet',
  ],
  ['71 % here', 'hier 71 %'],
  ['by rank: nothing is known yet', 'nach Rang: noch ist nichts bekannt'],
  [
    'The app wants page_link, and the text or the HTML has no {{page_link}}.',
    'Die App will page_link, und im Text oder im HTML fehlt {{page_link}}.',
  ],
  ['twilio is off (login refused)', 'twilio ist aus (login refused)'],
])('is said in German: %s', (finding, german) => {
  expect(germanFinding(finding)).toBe(german)
})

test('what is wrong with the audit log is said in German', async () => {
  const text = await Bun.file(join(source, 'domain/audit.ts')).text()
  const faults = [...text.matchAll(/broken\([^'`]*(['`])(.+?)\1\)/g)].map(([, , fault = '']) =>
    fault.replace(/\$\{[^}]*\}/g, '7'),
  )

  expect(faults).toHaveLength(8)
  expect(faults.filter((fault) => germanFinding(fault) === null)).toEqual([])
})

test('what is to be done about an alarm is said in German', () => {
  const unknown = Object.values(alarmAdvice).filter((advice) => germanFinding(advice) === null)

  expect(unknown).toEqual([])
})

test('what others say is not translated', () => {
  expect(germanFinding('250 2.0.0 Ok: queued as 4F')).toBeNull()
  expect(germanFinding('550 5.1.1 no such user; go away')).toBeNull()
})
