import type { Words } from '../words.ts'

export const swedish: Words = {
  subject: { named: '{code} är din kod till {name}', plain: '{code} är din kod' },
  title: { named: 'Din kod till {name}', plain: 'Din kod' },
  first: { named: '{code} är din kod till {name}.', plain: '{code} är din kod.' },
  heading: { named: 'Din kod till {name}', plain: 'Din kod' },
  valid: 'Koden gäller i {life}.',
  underOneMinute: 'mindre än en minut',
  minutes: { one: '{n} minut', other: '{n} minuter' },
  hours: { other: '{n} timmar' },
  reference: 'Referens: {reference}',
  never: {
    named: 'Dela aldrig koden med någon: ingen på {name} kommer att fråga efter den.',
    plain: 'Dela aldrig koden med någon: ingen kommer att fråga efter den.',
  },
  ignore: 'Om du inte har bett om den kan du bortse från meddelandet.',
}
