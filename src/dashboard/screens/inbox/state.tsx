import { Badge } from '../../parts/page.tsx'
import type { TestMessageItem } from '../../wire.ts'
import { inboxWords } from './words.ts'

const tones = { live: 'good', used: 'plain', expired: 'warn' } as const

export function State({ of }: { of: TestMessageItem['state'] }) {
  return <Badge tone={tones[of]}>{inboxWords().states[of]}</Badge>
}
