import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Checkbox, Field } from '../../parts/field.tsx'
import type { Sending } from '../../parts/form.tsx'
import { accessWords, passwordMistake } from './words.ts'

/** A field for a password that is chosen now, which may be shown. */
export function NewPassword({
  value,
  onInput,
  sending,
  hasSecondStep,
}: {
  value: string
  onInput(text: string): void
  sending: Sending
  hasSecondStep: boolean
}) {
  const words = accessWords().password
  const isShown = useSignal(false)
  return (
    <>
      <Field
        label={words.label}
        hint={hasSecondStep ? words.hintWithStep : words.hint}
        type={isShown.value ? 'text' : 'password'}
        autocomplete="new-password"
        required
        value={value}
        error={passwordMistake(sending.mistake('password'))}
        onInput={onInput}
      />
      <Checkbox
        label={words.show}
        checked={isShown.value}
        onChange={(shown) => {
          isShown.value = shown
        }}
      />
    </>
  )
}

export type Proposed = { secret: string; uri: string }

/** The secret of a new second step, to scan or to type, and the first code of it. */
export function NewSecondStep({
  proposed,
  code,
  onInput,
  sending,
}: {
  proposed: Proposed
  code: string
  onInput(text: string): void
  sending: Sending
}) {
  const words = accessWords()
  return (
    <div class="second-step">
      <p>{words.step.scan}</p>
      <Picture text={proposed.uri} />
      <p>{words.step.orType}</p>
      <p>
        <code class="secret">{proposed.secret.replace(/(.{4})(?=.)/g, '$1 ')}</code>
      </p>
      <Field
        label={words.signIn.code}
        hint={words.signIn.codeHint}
        autocomplete="one-time-code"
        inputMode="numeric"
        required
        value={code}
        error={sending.mistake('code') && words.step.wrong}
        onInput={onInput}
      />
    </div>
  )
}

/** A QR code; its encoder is loaded only here. */
function Picture({ text }: { text: string }) {
  const drawn = useSignal<{ size: number; path: string } | null>(null)
  useEffect(() => {
    import('./qr.ts').then(
      ({ qrPath }) => {
        drawn.value = qrPath(text)
      },
      () => {},
    )
  }, [text, drawn])
  if (!drawn.value) return null
  const { size, path } = drawn.value
  const label = accessWords().step.picture
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label}>
      <path class="paper" d={`M0 0h${size}v${size}H0z`} />
      <path d={path} />
    </svg>
  )
}
