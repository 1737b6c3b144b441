import type { Words } from '../words.ts'

export const japanese: Words = {
  subject: { named: '{code} は {name} の認証コードです', plain: '{code} は認証コードです' },
  title: { named: '{name} の認証コード', plain: '認証コード' },
  first: { named: '{code} は {name} の認証コードです。', plain: '{code} は認証コードです。' },
  heading: { named: '{name} の認証コード', plain: '認証コード' },
  valid: '有効時間は残り {life}です。',
  underOneMinute: '1 分未満',
  minutes: { other: '{n} 分' },
  hours: { other: '{n} 時間' },
  reference: '照会番号: {reference}',
  never: {
    named: 'コードは誰にも教えないでください。{name} がお尋ねすることはありません。',
    plain: 'コードは誰にも教えないでください。お尋ねすることはありません。',
  },
  ignore: 'お心当たりがなければ、無視してください。',
}
