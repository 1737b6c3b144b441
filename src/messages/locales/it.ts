import type { Words } from '../words.ts'

export const italian: Words = {
  subject: { named: '{code} è il suo codice per {name}', plain: '{code} è il suo codice' },
  title: { named: 'Il suo codice per {name}', plain: 'Il suo codice' },
  first: { named: '{code} è il suo codice per {name}.', plain: '{code} è il suo codice.' },
  heading: { named: 'Il suo codice per {name}', plain: 'Il suo codice' },
  valid: 'È valido ancora per {life}.',
  underOneMinute: 'meno di un minuto',
  minutes: { one: '{n} minuto', other: '{n} minuti' },
  hours: { other: '{n} ore' },
  reference: 'Riferimento: {reference}',
  never: {
    named: 'Non comunichi questo codice a nessuno: nessuno di {name} glielo chiederà.',
    plain: 'Non comunichi questo codice a nessuno: nessuno glielo chiederà.',
  },
  ignore: 'Se non lo ha richiesto, ignori questo messaggio.',
}
