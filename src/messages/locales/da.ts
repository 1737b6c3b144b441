import type { Words } from '../words.ts'

export const danish: Words = {
  subject: { named: '{code} er din kode til {name}', plain: '{code} er din kode' },
  title: { named: 'Din kode til {name}', plain: 'Din kode' },
  first: { named: '{code} er din kode til {name}.', plain: '{code} er din kode.' },
  heading: { named: 'Din kode til {name}', plain: 'Din kode' },
  valid: 'Koden gælder i {life}.',
  underOneMinute: 'mindre end et minut',
  minutes: { one: '{n} minut', other: '{n} minutter' },
  hours: { other: '{n} timer' },
  reference: 'Reference: {reference}',
  never: {
    named: 'Del aldrig koden med nogen: ingen fra {name} vil bede dig om den.',
    plain: 'Del aldrig koden med nogen: ingen vil bede dig om den.',
  },
  ignore: 'Har du ikke bedt om den, kan du se bort fra denne besked.',
}
