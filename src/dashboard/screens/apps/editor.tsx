import { useSignal } from '@preact/signals'
import { put, remove } from '../../api.ts'
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
  isOwn,
  onSaved,
  onLoad,
}: {
  path: string
  parts: Parts
  isOwn: boolean
  onSaved(): void
  onLoad(version: number): Promise<void>
}) {
  const words = messageWords()
  const { subject, text, html, variables } = parts
  const draft = useSignal<Parts>({ subject, text, html, variables })
  const isResetting = useSignal(false)
  const sending = useSending()
  const type = (change: Partial<Parts>) => {
    draft.value = { ...draft.value, ...change }
  }
  const save = () =>
    sending.send(async () => {
      const { version } = await put<Template>(path, draft.value)
      tell(words.saved(version))
      onSaved()
    })
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
                {isOwn && (
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
      <Versions path={path} onLoad={onLoad} />
      {isResetting.value && (
        <Confirm
          title={words.resetTitle}
          action={words.reset}
          onClose={() => {
            isResetting.value = false
          }}
          onConfirm={async () => {
            await remove(path)
            onSaved()
          }}
        >
          <p>{words.resetWhy}</p>
        </Confirm>
      )}
    </>
  )
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
