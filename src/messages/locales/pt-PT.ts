import type { Words } from '../words.ts'

export const europeanPortuguese: Words = {
  subject: { named: '{code} é o seu código para {name}', plain: '{code} é o seu código' },
  title: { named: 'O seu código para {name}', plain: 'O seu código' },
  first: { named: '{code} é o seu código para {name}.', plain: '{code} é o seu código.' },
  heading: { named: 'O seu código para {name}', plain: 'O seu código' },
  valid: 'É válido durante {life}.',
  underOneMinute: 'menos de um minuto',
  minutes: { one: '{n} minuto', other: '{n} minutos' },
  hours: { other: '{n} horas' },
  reference: 'Referência: {reference}',
  never: {
    named: 'Nunca partilhe este código: ninguém de {name} lho pedirá.',
    plain: 'Nunca partilhe este código: ninguém lho pedirá.',
  },
  ignore: 'Se não o pediu, ignore esta mensagem.',
}
