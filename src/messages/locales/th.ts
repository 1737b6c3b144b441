import type { Words } from '../words.ts'

export const thai: Words = {
  subject: { named: '{code} รหัส {name}', plain: '{code} รหัสของคุณ' },
  title: { named: 'รหัส {name}', plain: 'รหัสของคุณ' },
  first: { named: '{code} คือรหัสของคุณสำหรับ {name}', plain: '{code} คือรหัสของคุณ' },
  heading: { named: 'รหัสของคุณสำหรับ {name}', plain: 'รหัสของคุณ' },
  valid: 'รหัสนี้ใช้ได้อีก {life}',
  underOneMinute: 'ไม่ถึงหนึ่งนาที',
  minutes: { other: '{n} นาที' },
  hours: { other: '{n} ชั่วโมง' },
  reference: 'หมายเลขอ้างอิง: {reference}',
  never: {
    named: 'อย่าบอกรหัสนี้แก่ผู้ใด เจ้าหน้าที่ของ {name} จะไม่ขอรหัสจากคุณ',
    plain: 'อย่าบอกรหัสนี้แก่ผู้ใด จะไม่มีใครขอรหัสจากคุณ',
  },
  ignore: 'หากคุณไม่ได้ขอรหัสนี้ โปรดเพิกเฉยต่ออีเมลฉบับนี้',
}
