import type { Words } from '../words.ts'

export const spanish: Words = {
  subject: { named: '{code} es su código de {name}', plain: '{code} es su código' },
  title: { named: 'Su código de {name}', plain: 'Su código' },
  first: { named: '{code} es su código para {name}.', plain: '{code} es su código.' },
  heading: { named: 'Su código para {name}', plain: 'Su código' },
  valid: 'Es válido durante {life}.',
  underOneMinute: 'menos de un minuto',
  minutes: { one: '{n} minuto', other: '{n} minutos' },
  hours: { other: '{n} horas' },
  reference: 'Referencia: {reference}',
  never: {
    named: 'No comparta este código con nadie: nadie de {name} se lo pedirá.',
    plain: 'No comparta este código con nadie: nadie se lo pedirá.',
  },
  ignore: 'Si no lo ha solicitado, ignore este mensaje.',
}
