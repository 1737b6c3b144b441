import type { Words } from '../words.ts'

export const czech: Words = {
  subject: { named: '{code} je váš kód pro {name}', plain: '{code} je váš kód' },
  title: { named: 'Váš kód pro {name}', plain: 'Váš kód' },
  first: { named: '{code} je váš kód pro {name}.', plain: '{code} je váš kód.' },
  heading: { named: 'Váš kód pro {name}', plain: 'Váš kód' },
  valid: 'Kód platí ještě {life}.',
  underOneMinute: 'méně než minutu',
  minutes: { one: '{n} minutu', few: '{n} minuty', other: '{n} minut' },
  hours: { few: '{n} hodiny', other: '{n} hodin' },
  reference: 'Označení: {reference}',
  never: {
    named: 'Kód nikomu nesdělujte: nikdo z {name} ho po vás nebude chtít.',
    plain: 'Kód nikomu nesdělujte: nikdo ho po vás nebude chtít.',
  },
  ignore: 'Pokud jste o něj nežádali, zprávu ignorujte.',
}
