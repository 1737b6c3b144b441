import type { Words } from '../words.ts'

export const simplifiedChinese: Words = {
  subject: { named: '{code} 是您的 {name} 验证码', plain: '{code} 是您的验证码' },
  title: { named: '您的 {name} 验证码', plain: '您的验证码' },
  first: { named: '{code} 是您的 {name} 验证码。', plain: '{code} 是您的验证码。' },
  heading: { named: '您的 {name} 验证码', plain: '您的验证码' },
  valid: '有效时间还剩 {life}。',
  underOneMinute: '不到 1 分钟',
  minutes: { other: '{n} 分钟' },
  hours: { other: '{n} 小时' },
  reference: '参考编号: {reference}',
  never: {
    named: '请勿将验证码告诉任何人：{name} 的工作人员不会向您索取。',
    plain: '请勿将验证码告诉任何人：不会有人向您索取。',
  },
  ignore: '如果您没有请求验证码，请忽略此邮件。',
}
