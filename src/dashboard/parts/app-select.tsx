import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { withQuery } from '../api.ts'
import { after } from '../system.ts'
import type { App } from '../wire.ts'
import { frameWords } from '../words/frame.ts'
import { Field, Select } from './field.tsx'
import { type PageOf, useLoaded } from './loaded.tsx'

const shownMax = 100
const typingMs = 300

/** A choice of an app; where there are more than one page of them, with a search by name. */
export function AppSelect({
  apps: { items, next_cursor: more },
  chosen,
  all,
  onChoose,
}: {
  /** The first page of them. */
  apps: PageOf<App>
  chosen: string
  /** What stands for no choice; without it an app is always chosen. */
  all?: string
  onChoose(app: string): void
}) {
  const words = frameWords().apps
  const typed = useSignal('')
  const name = useSignal('')
  useEffect(() => {
    return after(typingMs, () => {
      name.value = typed.value.trim()
    })
  }, [typed.value])
  const query = { limit: shownMax, name: name.value }
  const found = useLoaded<PageOf<App>>(name.value === '' ? null : withQuery('/v1/apps', query))
  const shown = found.value?.items ?? items
  const isShown = chosen === '' || shown.some(({ id }) => id === chosen)
  const current = useLoaded<App>(isShown ? null : `/v1/apps/${chosen}`)
  const others = isShown ? [] : [current.value ?? { id: chosen, name: null }]
  const options = [...others, ...shown].map((app) => [app.id, app.name ?? app.id] as const)
  return (
    <>
      {more !== null && (
        <Field
          type="search"
          label={words.find}
          hint={found.value && words.found(found.value.items.length)}
          maxLength={64}
          value={typed.value}
          onInput={(text) => {
            typed.value = text
          }}
        />
      )}
      <Select
        label={words.app}
        value={chosen}
        options={all === undefined ? options : [['', all], ...options]}
        onChange={onChoose}
      />
    </>
  )
}

/** The first page of apps, for `AppSelect`. */
export const firstApps = withQuery('/v1/apps', { limit: shownMax })
