import type { Words } from '../words.ts'

export const polish: Words = {
  subject: { named: '{code} to Twój kod do {name}', plain: '{code} to Twój kod' },
  title: { named: 'Twój kod do {name}', plain: 'Twój kod' },
  first: { named: '{code} to Twój kod do {name}.', plain: '{code} to Twój kod.' },
  heading: { named: 'Twój kod do {name}', plain: 'Twój kod' },
  valid: 'Kod jest ważny jeszcze przez {life}.',
  underOneMinute: 'mniej niż minutę',
  minutes: { one: '{n} minutę', few: '{n} minuty', many: '{n} minut', other: '{n} minuty' },
  hours: { few: '{n} godziny', many: '{n} godzin', other: '{n} godziny' },
  reference: 'Oznaczenie: {reference}',
  never: {
    named: 'Nikomu nie podawaj tego kodu: nikt z {name} o niego nie zapyta.',
    plain: 'Nikomu nie podawaj tego kodu: nikt o niego nie zapyta.',
  },
  ignore: 'Jeśli to nie Ty o niego prosisz, zignoruj tę wiadomość.',
}
