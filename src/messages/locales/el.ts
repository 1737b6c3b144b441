import type { Words } from '../words.ts'

export const greek: Words = {
  subject: { named: '{code} είναι ο κωδικός σας για {name}', plain: '{code} είναι ο κωδικός σας' },
  title: { named: 'Ο κωδικός σας για {name}', plain: 'Ο κωδικός σας' },
  first: { named: '{code} είναι ο κωδικός σας για {name}.', plain: '{code} είναι ο κωδικός σας.' },
  heading: { named: 'Ο κωδικός σας για {name}', plain: 'Ο κωδικός σας' },
  valid: 'Ισχύει για {life} ακόμη.',
  underOneMinute: 'λιγότερο από ένα λεπτό',
  minutes: { one: '{n} λεπτό', other: '{n} λεπτά' },
  hours: { other: '{n} ώρες' },
  reference: 'Αναφορά: {reference}',
  never: {
    named: 'Μη δώσετε τον κωδικό σε κανέναν: κανείς από {name} δεν θα σας τον ζητήσει.',
    plain: 'Μη δώσετε τον κωδικό σε κανέναν: κανείς δεν θα σας τον ζητήσει.',
  },
  ignore: 'Αν δεν τον ζητήσατε, αγνοήστε αυτό το μήνυμα.',
}
