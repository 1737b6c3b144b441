import type { Words } from '../words.ts'

export const brazilianPortuguese: Words = {
  subject: { named: '{code} é o seu código para {name}', plain: '{code} é o seu código' },
  title: { named: 'Seu código para {name}', plain: 'Seu código' },
  first: { named: '{code} é seu código para {name}.', plain: '{code} é seu código.' },
  heading: { named: 'Seu código para {name}', plain: 'Seu código' },
  valid: 'Vale por {life}.',
  underOneMinute: 'menos de um minuto',
  minutes: { one: '{n} minuto', other: '{n} minutos' },
  hours: { other: '{n} horas' },
  reference: 'Referência: {reference}',
  never: {
    named: 'Nunca compartilhe este código: ninguém de {name} vai pedi-lo a você.',
    plain: 'Nunca compartilhe este código: ninguém vai pedi-lo a você.',
  },
  ignore: 'Se você não o solicitou, ignore esta mensagem.',
}
