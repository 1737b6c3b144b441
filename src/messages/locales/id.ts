import type { Words } from '../words.ts'

export const indonesian: Words = {
  subject: { named: '{code} adalah kode {name} Anda', plain: '{code} adalah kode Anda' },
  title: { named: 'Kode {name} Anda', plain: 'Kode Anda' },
  first: { named: '{code} adalah kode Anda untuk {name}.', plain: '{code} adalah kode Anda.' },
  heading: { named: 'Kode Anda untuk {name}', plain: 'Kode Anda' },
  valid: 'Kode ini berlaku selama {life}.',
  underOneMinute: 'kurang dari satu menit',
  minutes: { other: '{n} menit' },
  hours: { other: '{n} jam' },
  reference: 'Referensi: {reference}',
  never: {
    named:
      'Jangan berikan kode ini kepada siapa pun: tidak ada orang dari {name} yang akan memintanya.',
    plain: 'Jangan berikan kode ini kepada siapa pun: tidak ada yang akan memintanya.',
  },
  ignore: 'Jika Anda tidak memintanya, abaikan pesan ini.',
}
