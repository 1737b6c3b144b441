import type { Words } from '../words.ts'

export const hebrew: Words = {
  direction: 'rtl',
  subject: { named: '{code} הוא הקוד שלך עבור {name}', plain: '{code} הוא הקוד שלך' },
  title: { named: 'הקוד שלך עבור {name}', plain: 'הקוד שלך' },
  first: { named: '{code} הוא הקוד שלך עבור {name}.', plain: '{code} הוא הקוד שלך.' },
  heading: { named: 'הקוד שלך עבור {name}', plain: 'הקוד שלך' },
  valid: 'הקוד בתוקף למשך {life}.',
  underOneMinute: 'פחות מדקה',
  minutes: { one: 'דקה אחת', two: 'שתי דקות', other: '{n} דקות' },
  hours: { two: 'שעתיים', other: '{n} שעות' },
  reference: 'אסמכתא: {reference}',
  never: {
    named: 'אין למסור את הקוד לאיש: אף אחד מטעם {name} לא יבקש אותו.',
    plain: 'אין למסור את הקוד לאיש: אף אחד לא יבקש אותו.',
  },
  ignore: 'אם לא ביקשת את הקוד, אפשר להתעלם מהודעה זו.',
}
