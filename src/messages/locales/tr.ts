import type { Words } from '../words.ts'

export const turkish: Words = {
  subject: { named: '{code} {name} kodunuz', plain: '{code} kodunuz' },
  title: { named: '{name} kodunuz', plain: 'Kodunuz' },
  first: { named: '{code} kodunuz, {name} için.', plain: '{code} kodunuz.' },
  heading: { named: '{name} kodunuz', plain: 'Kodunuz' },
  valid: 'Kalan geçerlilik süresi: {life}.',
  underOneMinute: 'bir dakikadan az',
  minutes: { other: '{n} dakika' },
  hours: { other: '{n} saat' },
  reference: 'Referans: {reference}',
  never: {
    named: 'Bu kodu kimseyle paylaşmayın: {name} sizden bu kodu asla istemez.',
    plain: 'Bu kodu kimseyle paylaşmayın: hiç kimse sizden bu kodu istemez.',
  },
  ignore: 'Kodu siz istemediyseniz bu iletiyi dikkate almayın.',
}
