import type { Words } from '../words.ts'

export const arabic: Words = {
  direction: 'rtl',
  subject: { named: '{code} هو رمزك لدى {name}', plain: '{code} هو رمزك' },
  title: { named: 'رمزك لدى {name}', plain: 'رمزك' },
  first: {
    named: '{code} هو رمز التحقق الخاص بك لدى {name}.',
    plain: '{code} هو رمز التحقق الخاص بك.',
  },
  heading: { named: 'رمز التحقق الخاص بك لدى {name}', plain: 'رمز التحقق الخاص بك' },
  valid: 'الرمز صالح لمدة {life}.',
  underOneMinute: 'أقل من دقيقة',
  minutes: {
    one: 'دقيقة واحدة',
    two: 'دقيقتين',
    few: '{n} دقائق',
    many: '{n} دقيقة',
    other: '{n} دقيقة',
  },
  hours: { two: 'ساعتين', few: '{n} ساعات', many: '{n} ساعة', other: '{n} ساعة' },
  reference: 'المرجع: {reference}',
  never: {
    named: 'لا تشارك هذا الرمز مع أي شخص: لن يطلبه منك أحد من {name}.',
    plain: 'لا تشارك هذا الرمز مع أي شخص: لن يطلبه منك أحد.',
  },
  ignore: 'إذا لم تطلب هذا الرمز، فتجاهل هذه الرسالة.',
}
