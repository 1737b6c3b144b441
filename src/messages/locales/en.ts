import type { Words } from '../words.ts'

export const english: Words = {
  subject: { named: '{code} is your {name} code', plain: '{code} is your code' },
  title: { named: 'Your {name} code', plain: 'Your code' },
  first: { named: '{code} is your code for {name}.', plain: '{code} is your code.' },
  heading: { named: 'Your code for {name}', plain: 'Your code' },
  valid: 'It is valid for {life}.',
  underOneMinute: 'less than a minute',
  minutes: { one: '{n} minute', other: '{n} minutes' },
  hours: { other: '{n} hours' },
  reference: 'Reference: {reference}',
  never: {
    named: 'Never share this code with anyone: nobody at {name} will ask you for it.',
    plain: 'Never share this code with anyone: nobody will ask you for it.',
  },
  ignore: 'If you did not ask for it, ignore this message.',
}
