import type { TestMessageItem } from '../../wire.ts'
import { words } from '../../words/words.ts'

type Words = {
  title: string
  lead: string
  search: string
  clear: string
  clearTitle: string
  clearAbout: string
  cleared: string
  none: string
  noneYet: string
  noneFound: string
  noneFoundHint: string
  list: string
  pick: string
  back: string
  code: string
  copyCode: string
  to: string
  app: string
  received: string
  expires: string
  language: string
  reference: string
  verification: string
  show: string
  views: { label: string; html: string; text: string; source: string; headers: string }
  htmlOf: (subject: string) => string
  noSource: string
  headerName: string
  headerValue: string
  states: Record<TestMessageItem['state'], string>
  newer: (count: number) => string
}

export const inboxWords = words<Words>({
  en: {
    title: 'Test inbox',
    lead: 'What test keys have sent. Nothing of it has left this machine, so the codes are shown. The newest 200 are kept.',
    search: 'Search in recipient, subject, code, app',
    clear: 'Clear',
    clearTitle: 'Delete all test messages?',
    clearAbout: 'The messages of all apps are deleted. Their verifications stay.',
    cleared: 'The test inbox is empty.',
    none: 'No test message yet',
    noneYet:
      'Start a verification with a test key of an app: its message appears here by itself, with the code.',
    noneFound: 'Nothing found',
    noneFoundHint: 'No kept message has that in it.',
    list: 'Messages',
    pick: 'Choose a message to see it.',
    back: 'All messages',
    code: 'Code',
    copyCode: 'Copy code',
    to: 'To',
    app: 'App',
    received: 'Received',
    expires: 'Valid until',
    language: 'Language',
    reference: 'Reference',
    verification: 'Verification',
    show: 'What happened',
    views: {
      label: 'Forms of the message',
      html: 'HTML',
      text: 'Text',
      source: 'Source',
      headers: 'Headers',
    },
    htmlOf: (subject) => `HTML of “${subject}”`,
    noSource: 'This message is no mail, so it has no source.',
    headerName: 'Header',
    headerValue: 'Value',
    states: { live: 'Not used yet', used: 'Used', expired: 'No longer valid' },
    newer: (count) => (count === 1 ? '1 new message' : `${count} new messages`),
  },
  de: {
    title: 'Test-Postfach',
    lead: 'Was Test-Schlüssel gesendet haben. Nichts davon hat diesen Rechner verlassen, darum sind die Codes zu sehen. Die neuesten 200 bleiben.',
    search: 'Suche in Empfänger, Betreff, Code, App',
    clear: 'Leeren',
    clearTitle: 'Alle Testnachrichten löschen?',
    clearAbout: 'Die Nachrichten aller Apps werden gelöscht. Ihre Bestätigungen bleiben.',
    cleared: 'Das Test-Postfach ist leer.',
    none: 'Noch keine Testnachricht',
    noneYet:
      'Beginnen Sie eine Bestätigung mit dem Test-Schlüssel einer App: Ihre Nachricht erscheint hier von selbst, mit dem Code.',
    noneFound: 'Nichts gefunden',
    noneFoundHint: 'In keiner Nachricht kommt das vor.',
    list: 'Nachrichten',
    pick: 'Wählen Sie eine Nachricht, um sie zu sehen.',
    back: 'Alle Nachrichten',
    code: 'Code',
    copyCode: 'Code kopieren',
    to: 'An',
    app: 'App',
    received: 'Eingegangen',
    expires: 'Gültig bis',
    language: 'Sprache',
    reference: 'Kennzeichen',
    verification: 'Bestätigung',
    show: 'Was geschah',
    views: {
      label: 'Formen der Nachricht',
      html: 'HTML',
      text: 'Text',
      source: 'Quelltext',
      headers: 'Kopfzeilen',
    },
    htmlOf: (subject) => `HTML von „${subject}“`,
    noSource: 'Diese Nachricht ist keine Mail und hat darum keinen Quelltext.',
    headerName: 'Kopfzeile',
    headerValue: 'Wert',
    states: { live: 'Noch nicht benutzt', used: 'Benutzt', expired: 'Nicht mehr gültig' },
    newer: (count) => (count === 1 ? '1 neue Nachricht' : `${count} neue Nachrichten`),
  },
})
