import type { Words } from '../words.ts'

export const russian: Words = {
  subject: { named: '{code} — ваш код для {name}', plain: '{code} — ваш код' },
  title: { named: 'Ваш код для {name}', plain: 'Ваш код' },
  first: { named: '{code} — ваш код для {name}.', plain: '{code} — ваш код.' },
  heading: { named: 'Ваш код для {name}', plain: 'Ваш код' },
  valid: 'Код действителен ещё {life}.',
  underOneMinute: 'менее минуты',
  minutes: { one: '{n} минуту', few: '{n} минуты', many: '{n} минут', other: '{n} минуты' },
  hours: { one: '{n} час', few: '{n} часа', many: '{n} часов', other: '{n} часа' },
  reference: 'Номер письма: {reference}',
  never: {
    named: 'Никому не сообщайте этот код: сотрудники {name} его не спрашивают.',
    plain: 'Никому не сообщайте этот код: спрашивать его никто не вправе.',
  },
  ignore: 'Если вы его не запрашивали, проигнорируйте это письмо.',
}
