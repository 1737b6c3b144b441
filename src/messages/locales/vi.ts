import type { Words } from '../words.ts'

export const vietnamese: Words = {
  subject: { named: '{code} mã {name}', plain: '{code} mã của bạn' },
  title: { named: 'Mã {name}', plain: 'Mã của bạn' },
  first: { named: '{code} là mã của bạn cho {name}.', plain: '{code} là mã của bạn.' },
  heading: { named: 'Mã của bạn cho {name}', plain: 'Mã của bạn' },
  valid: 'Mã có hiệu lực trong {life}.',
  underOneMinute: 'chưa đầy một phút',
  minutes: { other: '{n} phút' },
  hours: { other: '{n} giờ' },
  reference: 'Tham chiếu: {reference}',
  never: {
    named: 'Đừng chia sẻ mã này với bất kỳ ai: không ai ở {name} sẽ hỏi bạn mã này.',
    plain: 'Đừng chia sẻ mã này với bất kỳ ai: không ai sẽ hỏi bạn mã này.',
  },
  ignore: 'Nếu bạn không yêu cầu mã, hãy bỏ qua thư này.',
}
