import { FindingText } from '../../parts/finding.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Notice, type Tone } from '../../parts/notice.tsx'
import type { TestDelivery } from '../../wire.ts'
import { appsWords } from './words.ts'

/** What came of a test: the end in a sentence, then the dialogue step by step. */
export function TestResult({ result: { status, steps } }: { result: TestDelivery }) {
  const words = appsWords().test
  const hasFailed = status === 'refused' || steps.some(({ ok }) => !ok)
  const [tone, says]: [Tone, string] =
    status === 'deferred'
      ? ['warn', words.deferred]
      : hasFailed
        ? ['bad', words.failed]
        : ['good', status === 'sent' ? words.arrived : words.works]
  return (
    <div class="test-result">
      <Notice tone={tone} role="status" title={says} />
      <ol class="steps" aria-label={words.dialogue}>
        {steps.map(({ name, ok, detail }, at) => (
          <li key={`${at}-${name}`} class={ok ? 'ok' : 'failed'}>
            <Icon name={ok ? 'check' : 'cross'} />
            <div>
              <strong>{words.steps[name] ?? name}</strong>
              {detail && (
                <p>
                  <FindingText>{detail}</FindingText>
                </p>
              )}
            </div>
          </li>
        ))}
      </ol>
    </div>
  )
}
