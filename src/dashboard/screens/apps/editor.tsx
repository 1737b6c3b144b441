import { useSignal } from '@preact/signals'
import { get, put, remove } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/dialog.tsx'
import { Field, TextArea } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { tell } from '../../parts/notice.tsx'
import { Card } from '../../parts/page.tsx'
import { canChange } from '../../session.ts'
import type { Template } from '../../wire.ts'
import { messageWords } from './message-words.ts'
import { Preview } from './preview-frame.tsx'
import { Versions } from './versions.tsx'

export type Parts = Pick<Template, 'subject' | 'text' | 'html' | 'variables'>

/** A template to edit, with the message beside it as a person would get it. */
export function Editor({
  path,
  parts,
  version,
  onSaved,
}: {
  path: string
  parts: Parts
  /** The one in force; null while the built-in words are. */
  version: number | null
  onSaved(): void
}) {
  const words = messageWords()
  const draft = useSignal(partsOf(parts))
  const isResetting = useSignal(false)
  const sending = useSending()
  const type = (change: Partial<Parts>) => {
    draft.value = { ...draft.value, ...change }
  }
  const save = () =>
    sending.send(async () => {
      const saved = await put<Template>(path, draft.value)
      tell(words.saved(saved.version))
      onSaved()
    })
  const load = async (from: string) => {
    draft.value = partsOf(await get<Parts>(`${path}${from}`))
  }
  return (
    <>
      <div class="editor">
        <Form
          sending={sending}
          shows={['subject', 'html', 'text', 'variables']}
          onSubmit={save}
          buttons={
            canChange.value && (
              <>
                <Button look="primary" submit busy={sending.busy}>
                  {words.save}
                </Button>
                {version !== null && (
                  <Button
                    onClick={() => {
                      isResetting.value = true
                    }}
                  >
                    {words.reset}
                  </Button>
                )}
              </>
            )
          }
        >
          <EditorFields draft={draft.value} mistake={sending.mistake} onType={type} />
        </Form>
        <Preview path={path} draft={draft.value} />
      </div>
      <Versions path={path} inForce={version} onLoad={(each) => load(`?version=${each}`)} />
      {isResetting.value && (
        <Confirm
          title={words.resetTitle}
          action={words.reset}
          onClose={() => {
            isResetting.value = false
          }}
          onConfirm={async () => {
            await remove(path)
            await load('/starter')
            onSaved()
          }}
        >
          <p>{words.resetWhy}</p>
        </Confirm>
      )}
    </>
  )
}

function partsOf({ subject, text, html, variables }: Parts): Parts {
  return { subject, text, html, variables }
}

function EditorFields({
  draft,
  mistake,
  onType,
}: {
  draft: Parts
  mistake(field: string): string | undefined
  onType(change: Partial<Parts>): void
}) {
  const words = messageWords()
  return (
    <Card>
      <Field
        label={words.subject}
        value={draft.subject}
        error={mistake('subject')}
        onInput={(subject) => onType({ subject })}
      />
      <TextArea
        label={words.html}
        rows={14}
        code
        value={draft.html}
        error={mistake('html')}
        onInput={(html) => onType({ html })}
      />
      <TextArea
        label={words.text}
        rows={8}
        code
        value={draft.text}
        error={mistake('text')}
        onInput={(text) => onType({ text })}
      />
      <Field
        label={words.variables}
        hint={words.variablesHint}
        value={draft.variables.join(', ')}
        error={mistake('variables')}
        onInput={(names) => onType({ variables: namesIn(names) })}
      />
    </Card>
  )
}

/** The last one may be in the middle of being typed, so a comma at the end stays. */
function namesIn(text: string): string[] {
  const names = text.split(',').map((name) => name.trim())
  return names.filter((name, at) => name !== '' || (at === names.length - 1 && at > 0))
}
