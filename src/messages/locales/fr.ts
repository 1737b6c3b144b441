import type { Words } from '../words.ts'

export const french: Words = {
  subject: { named: '{code} est votre code pour {name}', plain: '{code} est votre code' },
  title: { named: 'Votre code pour {name}', plain: 'Votre code' },
  first: { named: '{code} est votre code pour {name}.', plain: '{code} est votre code.' },
  heading: { named: 'Votre code pour {name}', plain: 'Votre code' },
  valid: 'Il est encore valable {life}.',
  underOneMinute: 'moins d’une minute',
  minutes: { one: '{n} minute', other: '{n} minutes' },
  hours: { other: '{n} heures' },
  reference: 'Référence : {reference}',
  never: {
    named: 'Ne communiquez ce code à personne : personne chez {name} ne vous le demandera.',
    plain: 'Ne communiquez ce code à personne : personne ne vous le demandera.',
  },
  ignore: 'Si vous ne l’avez pas demandé, ignorez ce message.',
}
