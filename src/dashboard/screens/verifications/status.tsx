import { Badge } from '../../parts/page.tsx'
import type { Verification } from '../../wire.ts'
import { verificationWords } from './words.ts'

const tones = {
  pending: 'plain',
  approved: 'good',
  canceled: 'plain',
  expired: 'warn',
  exhausted: 'bad',
} as const

export function Status({ of }: { of: Verification['status'] }) {
  return <Badge tone={tones[of]}>{verificationWords().statuses[of]}</Badge>
}
