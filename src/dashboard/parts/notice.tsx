import { signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Refusal } from '../api.ts'
import { after } from '../system.ts'
import { problemLanguage, problemText } from '../words/problems.ts'
import { FindingText } from './finding.tsx'
import { Icon, type IconName } from './icon.tsx'

export type Tone = 'good' | 'bad' | 'warn' | 'info'

const icons: Record<Tone, IconName> = { good: 'check', bad: 'cross', warn: 'warning', info: 'info' }

/** A box that says something; `role="alert"` has it read out at once. */
export function Notice({
  tone,
  title,
  children,
  role,
}: {
  tone: Tone
  title?: ComponentChildren
  children?: ComponentChildren
  role?: 'alert' | 'status'
}) {
  return (
    <div class={`notice ${tone}`} {...(role && { role })}>
      <Icon name={icons[tone]} />
      <div>
        {title && <strong>{title}</strong>}
        {children}
      </div>
    </div>
  )
}

/** What the server refused, and why. */
export function Problem({ refusal, children }: { refusal: Refusal; children?: ComponentChildren }) {
  return (
    <Notice tone="bad" role="alert">
      <p lang={problemLanguage(refusal)}>{problemText(refusal)}</p>
      {refusal.detail && (
        <p>
          <FindingText>{refusal.detail}</FindingText>
        </p>
      )}
      {children}
    </Notice>
  )
}

const toast = signal('')
let forget = () => {}

/** Says briefly that something was done, to the eye and to a screen reader. */
export function tell(text: string): void {
  forget()
  toast.value = text
  forget = after(4000, () => {
    toast.value = ''
  })
}

/** Where `tell` speaks; there is one on the page. */
export function Toast() {
  return (
    <div class="toast" role="status">
      {toast.value}
    </div>
  )
}
