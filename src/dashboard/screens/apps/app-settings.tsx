import { useSignal } from '@preact/signals'
import { patch, remove } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Field } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { tell } from '../../parts/notice.tsx'
import { Card, Facts } from '../../parts/page.tsx'
import { Time } from '../../parts/time.tsx'
import { go } from '../../router.ts'
import { canChange } from '../../session.ts'
import { frameWords } from '../../words/frame.ts'
import type { TabProps } from './app.tsx'
import { appWords } from './app-words.ts'
import { appsWords } from './words.ts'

/** Name, facts, and the way to be rid of an app. */
export function AppSettings({ app, reload }: TabProps) {
  const words = appWords().settings
  const isRemoving = useSignal(false)
  const name = app.name ?? appsWords().unnamed
  return (
    <div class="stack">
      {canChange.value && <Rename id={app.id} name={app.name ?? ''} onDone={reload} />}
      <Card>
        <Facts
          of={[
            [words.id, <code key="id">{app.id}</code>],
            [words.made, <Time key="made" at={app.created_at} />],
            [words.changed, <Time key="changed" at={app.updated_at} />],
          ]}
        />
      </Card>
      {canChange.value && (
        <Card title={words.remove}>
          <p class="faint">{words.removeLead}</p>
          <div class="buttons after">
            <Button
              look="danger"
              onClick={() => {
                isRemoving.value = true
              }}
            >
              {words.remove}
            </Button>
          </div>
        </Card>
      )}
      {isRemoving.value && (
        <RemoveApp
          id={app.id}
          name={name}
          onClose={() => {
            isRemoving.value = false
          }}
        />
      )}
    </div>
  )
}

function Rename({ id, name, onDone }: { id: string; name: string; onDone(): void }) {
  const words = frameWords()
  const typed = useSignal(name)
  const sending = useSending()
  return (
    <Card>
      <Form
        sending={sending}
        shows={['name']}
        onSubmit={() =>
          sending.send(async () => {
            await patch(`/v1/apps/${id}`, { name: typed.value })
            tell(words.saved)
            onDone()
          })
        }
        buttons={
          <Button submit busy={sending.busy}>
            {words.save}
          </Button>
        }
      >
        <Field
          label={appWords().settings.rename}
          hint={appsWords().create.nameHint}
          value={typed.value}
          error={sending.mistake('name')}
          onInput={(text) => {
            typed.value = text
          }}
        />
      </Form>
    </Card>
  )
}

/** Deletes the app once its name was typed. */
function RemoveApp({ id, name, onClose }: { id: string; name: string; onClose(): void }) {
  const words = appWords().settings
  const typed = useSignal('')
  const sending = useSending()
  return (
    <Dialog title={words.removeTitle(name)} onClose={onClose}>
      <Form
        sending={sending}
        onSubmit={() => {
          if (typed.value !== name) return
          void sending.send(async () => {
            await remove(`/v1/apps/${id}`)
            go('/apps', { replace: true })
          })
        }}
        buttons={
          <>
            <Button look="danger" submit busy={sending.busy} disabled={typed.value !== name}>
              {words.remove}
            </Button>
            <Button onClick={onClose}>{frameWords().cancel}</Button>
          </>
        }
      >
        <p>{words.removeLead}</p>
        <Field
          label={words.type(name)}
          value={typed.value}
          autoFocus
          onInput={(text) => {
            typed.value = text
          }}
        />
      </Form>
    </Dialog>
  )
}
