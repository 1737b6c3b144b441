import type { Words } from '../words.ts'

export const ukrainian: Words = {
  subject: { named: '{code} — ваш код для {name}', plain: '{code} — ваш код' },
  title: { named: 'Ваш код для {name}', plain: 'Ваш код' },
  first: { named: '{code} — ваш код для {name}.', plain: '{code} — ваш код.' },
  heading: { named: 'Ваш код для {name}', plain: 'Ваш код' },
  valid: 'Код дійсний ще {life}.',
  underOneMinute: 'менше хвилини',
  minutes: { one: '{n} хвилину', few: '{n} хвилини', many: '{n} хвилин', other: '{n} хвилини' },
  hours: { one: '{n} годину', few: '{n} години', many: '{n} годин', other: '{n} години' },
  reference: 'Номер листа: {reference}',
  never: {
    named: 'Нікому не повідомляйте цей код: працівники {name} його не питають.',
    plain: 'Нікому не повідомляйте цей код: ніхто не має права його питати.',
  },
  ignore: 'Якщо ви його не запитували, не зважайте на цей лист.',
}
