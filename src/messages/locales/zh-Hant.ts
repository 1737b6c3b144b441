import type { Words } from '../words.ts'

export const traditionalChinese: Words = {
  subject: { named: '{code} 是您的 {name} 驗證碼', plain: '{code} 是您的驗證碼' },
  title: { named: '您的 {name} 驗證碼', plain: '您的驗證碼' },
  first: { named: '{code} 是您的 {name} 驗證碼。', plain: '{code} 是您的驗證碼。' },
  heading: { named: '您的 {name} 驗證碼', plain: '您的驗證碼' },
  valid: '有效時間還剩 {life}。',
  underOneMinute: '不到 1 分鐘',
  minutes: { other: '{n} 分鐘' },
  hours: { other: '{n} 小時' },
  reference: '參考編號: {reference}',
  never: {
    named: '請勿將驗證碼告訴任何人：{name} 的人員不會向您索取。',
    plain: '請勿將驗證碼告訴任何人：不會有人向您索取。',
  },
  ignore: '如果您沒有要求驗證碼，請忽略此郵件。',
}
