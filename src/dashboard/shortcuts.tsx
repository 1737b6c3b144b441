import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Dialog } from './parts/dialog.tsx'
import { hasShortcuts } from './preferences.ts'
import { go } from './router.ts'
import { sections } from './screens.ts'
import { canChange } from './session.ts'
import { now } from './system.ts'
import { frameWords } from './words/frame.ts'

/** How long after `g` the second key counts, in ms. */
const sequenceMs = 1500

/** Listens for the shortcuts, and lists them on `?`. */
export function Shortcuts() {
  const words = frameWords()
  const isListed = useSignal(false)
  useEffect(() => {
    let wentAt = Number.NEGATIVE_INFINITY
    const onKey = (event: KeyboardEvent) => {
      if (!hasShortcuts.value || isTaken(event)) return
      const { key } = event
      if (now() - wentAt < sequenceMs) {
        wentAt = Number.NEGATIVE_INFINITY
        const section = sections.find((each) => each.key === key)
        if (section) go(section.path)
        return
      }
      if (key === 'g') wentAt = now()
      else if (key === '?') isListed.value = true
      else if (key === 'n' && canChange.value) go('/apps/new')
      else if (key === '/') focusSearch(event)
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [isListed])
  if (!isListed.value) return null
  return (
    <Dialog
      title={words.shortcuts.title}
      onClose={() => {
        isListed.value = false
      }}
    >
      <dl class="keys">
        {sections.map(({ name, key }) => (
          <div key={name}>
            <dt>
              <kbd>g</kbd> {words.shortcuts.and} <kbd>{key}</kbd>
            </dt>
            <dd>{words.shortcuts.go(words.nav[name])}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>{words.shortcuts.search}</dd>
        </div>
        <div>
          <dt>
            <kbd>n</kbd>
          </dt>
          <dd>{words.shortcuts.newApp}</dd>
        </div>
        <div>
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>{words.shortcuts.list}</dd>
        </div>
      </dl>
      <p class="faint">{words.shortcuts.off}</p>
    </Dialog>
  )
}

/** True while the reader types, uses a key of the browser, or has a dialog open. */
function isTaken({ target, ctrlKey, metaKey, altKey, defaultPrevented }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey || defaultPrevented) return true
  const isTyping = target instanceof Element && target.closest('input, textarea, select') !== null
  return isTyping || document.querySelector('dialog[open]') !== null
}

function focusSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>('main input[type=search]')
  if (!search) return
  event.preventDefault()
  search.focus()
}
