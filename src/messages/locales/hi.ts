import type { Words } from '../words.ts'

export const hindi: Words = {
  subject: { named: '{code} आपका {name} कोड है', plain: '{code} आपका कोड है' },
  title: { named: 'आपका {name} कोड', plain: 'आपका कोड' },
  first: { named: '{code} {name} के लिए आपका कोड है।', plain: '{code} आपका कोड है।' },
  heading: { named: '{name} के लिए आपका कोड', plain: 'आपका कोड' },
  valid: 'यह {life} के लिए मान्य है।',
  underOneMinute: 'एक मिनट से कम समय',
  minutes: { other: '{n} मिनट' },
  hours: { other: '{n} घंटे' },
  reference: 'संदर्भ: {reference}',
  never: {
    named: 'यह कोड किसी को न बताएं: {name} का कोई व्यक्ति इसे आपसे नहीं मांगेगा।',
    plain: 'यह कोड किसी को न बताएं: कोई भी इसे आपसे नहीं मांगेगा।',
  },
  ignore: 'यदि आपने यह कोड नहीं मांगा है, तो इस संदेश को अनदेखा करें।',
}
