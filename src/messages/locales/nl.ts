import type { Words } from '../words.ts'

export const dutch: Words = {
  subject: { named: '{code} is uw code voor {name}', plain: '{code} is uw code' },
  title: { named: 'Uw code voor {name}', plain: 'Uw code' },
  first: { named: '{code} is uw code voor {name}.', plain: '{code} is uw code.' },
  heading: { named: 'Uw code voor {name}', plain: 'Uw code' },
  valid: 'De code is nog {life} geldig.',
  underOneMinute: 'minder dan een minuut',
  minutes: { one: '{n} minuut', other: '{n} minuten' },
  hours: { other: '{n} uur' },
  reference: 'Referentie: {reference}',
  never: {
    named: 'Deel deze code met niemand: niemand van {name} zal u erom vragen.',
    plain: 'Deel deze code met niemand: niemand zal u erom vragen.',
  },
  ignore: 'Hebt u er niet om gevraagd, negeer dan dit bericht.',
}
