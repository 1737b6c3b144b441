import type { Words } from '../words.ts'

export const norwegian: Words = {
  subject: { named: '{code} er koden din for {name}', plain: '{code} er koden din' },
  title: { named: 'Koden din for {name}', plain: 'Koden din' },
  first: { named: '{code} er koden din for {name}.', plain: '{code} er koden din.' },
  heading: { named: 'Koden din for {name}', plain: 'Koden din' },
  valid: 'Koden er gyldig i {life}.',
  underOneMinute: 'mindre enn ett minutt',
  minutes: { one: '{n} minutt', other: '{n} minutter' },
  hours: { other: '{n} timer' },
  reference: 'Referanse: {reference}',
  never: {
    named: 'Ikke del koden med noen: ingen i {name} vil be deg om den.',
    plain: 'Ikke del koden med noen: ingen vil be deg om den.',
  },
  ignore: 'Hvis du ikke har bedt om den, kan du se bort fra denne meldingen.',
}
