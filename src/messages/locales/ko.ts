import type { Words } from '../words.ts'

export const korean: Words = {
  subject: { named: '{code} {name} 인증 코드', plain: '{code} 인증 코드' },
  title: { named: '{name} 인증 코드', plain: '인증 코드' },
  first: {
    named: '{code} 인증 코드를 {name}에 입력하세요.',
    plain: '{code} 인증 코드를 입력하세요.',
  },
  heading: { named: '{name} 인증 코드', plain: '인증 코드' },
  valid: '남은 유효 시간은 {life}입니다.',
  underOneMinute: '1분 미만',
  minutes: { other: '{n}분' },
  hours: { other: '{n}시간' },
  reference: '참조 번호: {reference}',
  never: {
    named: '이 코드를 누구에게도 알려 주지 마세요. {name}에서는 코드를 묻지 않습니다.',
    plain: '이 코드를 누구에게도 알려 주지 마세요. 아무도 코드를 묻지 않습니다.',
  },
  ignore: '요청하지 않으셨다면 이 메일을 무시하세요.',
}
