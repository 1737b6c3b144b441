import { useSignal } from '@preact/signals'
import { useState } from 'preact/hooks'
import { Button } from '../../parts/button.tsx'
import { Field, Select } from '../../parts/field.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Card } from '../../parts/page.tsx'
import { locale as readerLocale } from '../../preferences.ts'
import { go } from '../../router.ts'
import type { Fields, TemplateRef } from '../../wire.ts'
import type { TabProps } from './app.tsx'
import { BrandCard } from './brand.tsx'
import { Editor, type Parts } from './editor.tsx'
import { messageWords } from './message-words.ts'

/** What the messages of an app say, in one language at a time, and what they show of it. */
export function Messages({ app, part }: TabProps) {
  const path = `/v1/apps/${app.id}/templates`
  const fields = useLoaded<Fields>('/v1/fields')
  const own = useLoaded<{ items: TemplateRef[] }>(path)
  const chosen = part ?? String(app.policy['language'] ?? 'en')
  return (
    <div class="stack">
      <Loaded from={fields}>
        {({ languages }) => (
          <Loaded from={own}>
            {({ items }) => (
              <>
                <LanguageCard
                  {...{ chosen, items, languages }}
                  onChoose={(tag) => go(`/apps/${app.id}/messages/${tag}`)}
                />
                <TemplateOf key={chosen} {...{ path, chosen, items }} onSaved={own.reload} />
              </>
            )}
          </Loaded>
        )}
      </Loaded>
      <BrandCard appId={app.id} />
    </div>
  )
}

function LanguageCard({
  chosen,
  items,
  languages,
  onChoose,
}: {
  chosen: string
  items: TemplateRef[]
  languages: string[]
  onChoose(tag: string): void
}) {
  const words = messageWords()
  const other = useSignal('')
  const tags = [...new Set([...items.map(({ locale }) => locale), ...languages, chosen])]
  const names = new Intl.DisplayNames(readerLocale(), { type: 'language' })
  const options = tags.map((tag) => {
    const found = items.find(({ locale }) => locale === tag)
    const state = found ? words.own(found.version) : words.builtIn
    return [tag, `${names.of(tag)} (${tag}): ${state}`] as const
  })
  return (
    <Card>
      <form
        class="fields"
        onSubmit={(event) => {
          event.preventDefault()
          if (/^[\w-]{2,35}$/.test(other.value)) onChoose(other.value)
        }}
      >
        <Select label={words.language} value={chosen} options={options} onChange={onChoose} />
        <div class="with-button">
          <Field
            label={words.other}
            value={other.value}
            onInput={(text) => {
              other.value = text.trim()
            }}
          />
          <Button submit>{words.show}</Button>
        </div>
      </form>
    </Card>
  )
}

/** The template in force, or the built-in message as one to begin with. */
function TemplateOf({
  path,
  chosen,
  items,
  onSaved,
}: {
  path: string
  chosen: string
  items: TemplateRef[]
  onSaved(): void
}) {
  const version = items.find(({ locale }) => locale === chosen)?.version ?? null
  // What is loaded first stays in the editor, also when it is saved as the first version.
  const [first] = useState(version === null ? '/starter' : '')
  const stored = useLoaded<Parts>(`${path}/${chosen}${first}`)
  return (
    <Loaded from={stored}>
      {(parts) => <Editor path={`${path}/${chosen}`} {...{ parts, version, onSaved }} />}
    </Loaded>
  )
}
