import type { Words } from '../words.ts'

export const finnish: Words = {
  subject: { named: '{code} on koodisi palveluun {name}', plain: '{code} on koodisi' },
  title: { named: 'Koodisi palveluun {name}', plain: 'Koodisi' },
  first: { named: '{code} on koodisi palveluun {name}.', plain: '{code} on koodisi.' },
  heading: { named: 'Koodisi palveluun {name}', plain: 'Koodisi' },
  valid: 'Koodi on voimassa vielä {life}.',
  underOneMinute: 'alle minuutin',
  minutes: { one: '{n} minuutin', other: '{n} minuuttia' },
  hours: { other: '{n} tuntia' },
  reference: 'Viite: {reference}',
  never: {
    named: 'Älä kerro koodia kenellekään: {name} ei koskaan kysy sitä sinulta.',
    plain: 'Älä kerro koodia kenellekään: kukaan ei kysy sitä sinulta.',
  },
  ignore: 'Jos et pyytänyt koodia, voit jättää tämän viestin huomiotta.',
}
