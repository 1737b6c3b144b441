import type { Story, Verification } from '../../wire.ts'
import { words } from '../../words/words.ts'

type Status = Verification['status']
type Step = Story['steps'][number]['kind']
type Delivery = Verification['delivery']['status']

type Words = {
  title: string
  lead: string
  mode: string
  live: string
  test: string
  status: string
  any: string
  search: string
  searchHint: string
  find: string
  showAll: string
  found: (to: string) => string
  noApps: string
  noAppsYet: string
  newApp: string
  none: string
  noneYet: string
  noneFound: string
  noneFoundHint: string
  recipient: string
  started: string
  message: string
  purpose: string
  channel: string
  expires: string
  attemptsLeft: string
  reference: string
  code: string
  digits: (count: number) => string
  longCode: string
  language: string
  metadata: string
  route: string
  id: string
  story: string
  took: (duration: string) => string
  by: (channel: string) => string
  endpoint: string
  answer: string
  chosen: string
  resend: string
  resendBy: string
  resent: string
  notYet: (when: string) => string
  cancel: string
  cancelTitle: string
  cancelAbout: string
  canceled: string
  statuses: Record<Status, string>
  deliveries: Record<Delivery, string>
  steps: Record<Step, string>
}

export const verificationWords = words<Words>({
  en: {
    title: 'Verifications',
    lead: 'What your apps have started, and what became of it. Addresses are masked, codes are never shown.',
    mode: 'Keys',
    live: 'Live',
    test: 'Test',
    status: 'Status',
    any: 'Any',
    search: 'Address or id',
    searchHint:
      'The exact address, or the id of a verification. Searches for an address are in the audit log.',
    find: 'Search',
    showAll: 'Show all',
    found: (to) => `Verifications of ${to}`,
    noApps: 'There is no app yet',
    noAppsYet: 'Verifications belong to an app. Make one first.',
    newApp: 'New app',
    none: 'Nothing here yet',
    noneYet: 'Verifications appear here as soon as the app starts one with POST /v1/verifications.',
    noneFound: 'Nothing found',
    noneFoundHint: 'Check the address, the app and the kind of keys.',
    recipient: 'Recipient',
    started: 'Started',
    message: 'Message',
    purpose: 'Purpose',
    channel: 'Channel',
    expires: 'Valid until',
    attemptsLeft: 'Attempts left',
    reference: 'Reference',
    code: 'Code',
    digits: (count) => `${count} digits`,
    longCode: '13 letters and digits, because the guess budget was spent',
    language: 'Language',
    metadata: 'Metadata',
    route: 'Channels in order',
    id: 'Id',
    story: 'What happened',
    took: (duration) => `took ${duration}`,
    by: (channel) => `by ${channel}`,
    endpoint: 'Endpoint',
    answer: 'The other server said',
    chosen: 'Why it began there',
    resend: 'Send again',
    resendBy: 'Through',
    resent: 'The same code is on its way again.',
    notYet: (when) => `The next message is possible ${when}.`,
    cancel: 'Cancel verification',
    cancelTitle: 'Cancel this verification?',
    cancelAbout:
      'Its code is refused from then on, and nothing further is sent. The person has to start again.',
    canceled: 'Canceled',
    statuses: {
      pending: 'Waiting for the code',
      approved: 'Approved',
      canceled: 'Canceled',
      expired: 'Expired',
      exhausted: 'Out of attempts',
    },
    deliveries: {
      queued: 'Queued',
      sent: 'Handed over',
      deferred: 'Deferred',
      refused: 'Refused',
      undeliverable: 'Given up',
      bounced: 'Came back',
      delivered: 'Arrived',
      failed: 'Not arrived',
    },
    steps: {
      started: 'Started',
      queued: 'Message queued',
      sent: 'Message handed over',
      deferred: 'Try failed; it is tried again',
      refused: 'Try refused',
      undeliverable: 'Message given up',
      delayed: 'The other server is still trying',
      bounced: 'Message came back',
      delivered: 'Message arrived',
      failed: 'Message did not arrive',
      wrong_code: 'Wrong code',
      approved: 'Right code: approved',
      exhausted: 'No attempts left',
      canceled: 'Canceled',
      expired: 'Expired',
    },
  },
  de: {
    title: 'Bestätigungen',
    lead: 'Was Ihre Apps begonnen haben, und was daraus wurde. Adressen sind verkürzt, Codes werden nie gezeigt.',
    mode: 'Schlüssel',
    live: 'Echtbetrieb',
    test: 'Test',
    status: 'Stand',
    any: 'Alle',
    search: 'Adresse oder Kennung',
    searchHint:
      'Die genaue Adresse, oder die Kennung einer Bestätigung. Suchen nach einer Adresse stehen im Protokoll.',
    find: 'Suchen',
    showAll: 'Alle zeigen',
    found: (to) => `Bestätigungen von ${to}`,
    noApps: 'Es gibt noch keine App',
    noAppsYet: 'Bestätigungen gehören zu einer App. Legen Sie zuerst eine an.',
    newApp: 'Neue App',
    none: 'Hier ist noch nichts',
    noneYet:
      'Bestätigungen erscheinen hier, sobald die App eine mit POST /v1/verifications beginnt.',
    noneFound: 'Nichts gefunden',
    noneFoundHint: 'Stimmen Adresse, App und Art der Schlüssel?',
    recipient: 'Empfänger',
    started: 'Begonnen',
    message: 'Nachricht',
    purpose: 'Zweck',
    channel: 'Kanal',
    expires: 'Gültig bis',
    attemptsLeft: 'Versuche übrig',
    reference: 'Kennzeichen',
    code: 'Code',
    digits: (count) => `${count} Ziffern`,
    longCode: '13 Buchstaben und Ziffern, weil das Rate-Budget verbraucht war',
    language: 'Sprache',
    metadata: 'Metadaten',
    route: 'Kanäle der Reihe nach',
    id: 'Kennung',
    story: 'Was geschah',
    took: (duration) => `dauerte ${duration}`,
    by: (channel) => `über ${channel}`,
    endpoint: 'Weg',
    answer: 'Antwort der Gegenseite',
    chosen: 'Warum es dort begann',
    resend: 'Noch einmal senden',
    resendBy: 'Über',
    resent: 'Derselbe Code ist noch einmal unterwegs.',
    notYet: (when) => `Die nächste Nachricht ist ${when} möglich.`,
    cancel: 'Bestätigung abbrechen',
    cancelTitle: 'Diese Bestätigung abbrechen?',
    cancelAbout:
      'Ihr Code gilt dann nicht mehr, und nichts wird mehr gesendet. Die Person muss neu beginnen.',
    canceled: 'Abgebrochen',
    statuses: {
      pending: 'Wartet auf den Code',
      approved: 'Bestätigt',
      canceled: 'Abgebrochen',
      expired: 'Abgelaufen',
      exhausted: 'Keine Versuche mehr',
    },
    deliveries: {
      queued: 'Eingereiht',
      sent: 'Übergeben',
      deferred: 'Verschoben',
      refused: 'Abgelehnt',
      undeliverable: 'Aufgegeben',
      bounced: 'Zurückgekommen',
      delivered: 'Angekommen',
      failed: 'Nicht angekommen',
    },
    steps: {
      started: 'Begonnen',
      queued: 'Nachricht eingereiht',
      sent: 'Nachricht übergeben',
      deferred: 'Versuch gescheitert, es folgt ein weiterer',
      refused: 'Versuch abgelehnt',
      undeliverable: 'Nachricht aufgegeben',
      delayed: 'Die Gegenseite versucht es noch',
      bounced: 'Nachricht kam zurück',
      delivered: 'Nachricht ist angekommen',
      failed: 'Nachricht ist nicht angekommen',
      wrong_code: 'Falscher Code',
      approved: 'Richtiger Code: bestätigt',
      exhausted: 'Keine Versuche mehr',
      canceled: 'Abgebrochen',
      expired: 'Abgelaufen',
    },
  },
})
