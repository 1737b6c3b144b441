import type { Words } from '../words.ts'

export const hindi: Words = {
  subject: { named: '{code} आपका {name} कोड', plain: '{code} आपका कोड' },
  title: { named: 'आपका {name} कोड', plain: 'आपका कोड' },
  first: { named: '{code} आपका {name} कोड है।', plain: '{code} आपका कोड है।' },
  heading: { named: 'आपका {name} कोड', plain: 'आपका कोड' },
  valid: 'कोड का बाकी समय: {life}।',
  underOneMinute: 'एक मिनट से कम',
  minutes: { other: '{n} मिनट' },
  hours: { other: '{n} घंटे' },
  reference: 'पहचान: {reference}',
  never: {
    named: 'यह कोड किसी को न बताइए: {name} यह कोड कभी नहीं मांगता।',
    plain: 'यह कोड किसी को न बताइए: कोई भी यह कोड नहीं मांगता।',
  },
  ignore: 'अगर यह मांग आपकी नहीं थी, तो इस मेल पर ध्यान न दीजिए।',
}
