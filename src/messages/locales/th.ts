import type { Words } from '../words.ts'

export const thai: Words = {
  subject: { named: '{code} รหัสของ {name}', plain: '{code} รหัสจากเรา' },
  title: { named: 'รหัสของ {name}', plain: 'รหัสจากเรา' },
  first: { named: '{code} รหัส OTP ของ {name}', plain: '{code} รหัส OTP ของคุณ' },
  heading: { named: 'รหัส OTP ของ {name}', plain: 'รหัส OTP ของคุณ' },
  valid: 'OTP จะหมดเวลาใน {life}',
  underOneMinute: 'ไม่ถึง 1 นาที',
  minutes: { other: '{n} นาที' },
  hours: { other: '{n} ชั่วโมง' },
  reference: 'Ref: {reference}',
  never: {
    named: 'อย่าบอก OTP ให้ใคร: {name} จะไม่ถามหา OTP',
    plain: 'อย่าบอก OTP ให้ใคร: เราจะไม่ถามหา OTP',
  },
  ignore: 'หากไม่ได้ขอ OTP โปรดลบอีเมล',
}
