import { href } from '../router.ts'

/** Links to the parts of a screen; each has an address of its own. */
export function Tabs({
  label,
  tabs,
  current,
}: {
  label: string
  tabs: readonly { id: string; text: string; to: string }[]
  current: string
}) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(({ id, text, to }) => (
        <a key={id} href={href(to)} aria-current={id === current ? 'page' : undefined}>
          {text}
        </a>
      ))}
    </nav>
  )
}
