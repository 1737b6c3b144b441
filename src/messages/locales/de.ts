import type { Words } from '../words.ts'

export const german: Words = {
  subject: { named: '{code} ist Ihr Code für {name}', plain: '{code} ist Ihr Code' },
  title: { named: 'Ihr Code für {name}', plain: 'Ihr Code' },
  first: { named: '{code} ist Ihr Code für {name}.', plain: '{code} ist Ihr Code.' },
  heading: { named: 'Ihr Code für {name}', plain: 'Ihr Code' },
  valid: 'Er ist noch {life} gültig.',
  underOneMinute: 'weniger als eine Minute',
  minutes: { one: '{n} Minute', other: '{n} Minuten' },
  hours: { other: '{n} Stunden' },
  reference: 'Referenz: {reference}',
  never: {
    named: 'Geben Sie diesen Code niemals weiter: Niemand von {name} wird Sie danach fragen.',
    plain: 'Geben Sie diesen Code niemals weiter: Niemand wird Sie danach fragen.',
  },
  ignore: 'Falls Sie ihn nicht angefordert haben, ignorieren Sie diese Nachricht.',
}
