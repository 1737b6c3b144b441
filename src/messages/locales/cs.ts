import type { Words } from '../words.ts'

export const czech: Words = {
  subject: { named: '{code} je kód pro {name}', plain: '{code} je váš kód' },
  title: { named: 'Váš kód pro {name}', plain: 'Váš kód' },
  first: { named: '{code} je váš kód pro {name}.', plain: '{code} je váš kód.' },
  heading: { named: 'Váš kód pro {name}', plain: 'Váš kód' },
  valid: 'Platnost: {life}.',
  underOneMinute: 'méně než minuta',
  minutes: { one: '{n} minuta', few: '{n} minuty', other: '{n} minut' },
  hours: { few: '{n} hodiny', other: '{n} hodin' },
  reference: 'Reference: {reference}',
  never: {
    named: 'Kód nikomu nesdělujte: nikdo z {name} ho nebude chtít.',
    plain: 'Kód nikomu nesdělujte: nikdo ho nebude chtít.',
  },
  ignore: 'Pokud jste si ho nevyžádali, e-mail ignorujte.',
}
