import { frameWords } from '../words/frame.ts'
import { Button } from './button.tsx'
import { tell } from './notice.tsx'

/** Copies a text; without a clipboard, as over plain http, it selects the text instead. */
export function CopyButton({ text, label }: { text: string; label?: string }) {
  const words = frameWords()
  return (
    <Button
      icon="copy"
      onClick={async () => {
        try {
          await navigator.clipboard.writeText(text)
          tell(words.copied)
        } catch {
          selectText(text)
        }
      }}
    >
      {label ?? words.copy}
    </Button>
  )
}

/** A secret or an id in full, with a button that copies it. */
export function Copyable({ label, text }: { label: string; text: string }) {
  return (
    <div class="copyable">
      <span class="label">{label}</span>
      <code data-copy={text}>{text}</code>
      <CopyButton text={text} />
    </div>
  )
}

function selectText(text: string): void {
  const shown = document.querySelector(`[data-copy="${CSS.escape(text)}"]`)
  if (shown) getSelection()?.selectAllChildren(shown)
}
