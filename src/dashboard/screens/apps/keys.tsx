import { useSignal } from '@preact/signals'
import { post, remove } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Copyable } from '../../parts/copy.tsx'
import { Confirm, Dialog } from '../../parts/dialog.tsx'
import { Choices } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Notice } from '../../parts/notice.tsx'
import { Badge, Card } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { canChange } from '../../session.ts'
import type { Key } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import type { TabProps } from './app.tsx'
import { appWords } from './app-words.ts'

const modes = ['live', 'test', 'inbound'] as const
type Mode = (typeof modes)[number]

/** The keys of an app; a new one is shown once. */
export function Keys({ app, reload }: TabProps) {
  const words = appWords().keys
  const isAdding = useSignal(false)
  const revoking = useSignal<Key | null>(null)
  return (
    <div class="stack">
      <div class="spread">
        <p class="faint">{words.lead}</p>
        {canChange.value && (
          <Button
            look="primary"
            icon="plus"
            onClick={() => {
              isAdding.value = true
            }}
          >
            {words.add}
          </Button>
        )}
      </div>
      <Card>
        <KeyTable
          keys={app.keys}
          onRevoke={(key) => {
            revoking.value = key
          }}
        />
      </Card>
      {isAdding.value && (
        <NewKey
          appId={app.id}
          onClose={() => {
            isAdding.value = false
            reload()
          }}
        />
      )}
      {revoking.value && (
        <Confirm
          title={words.revokeTitle(nameOf(revoking.value))}
          action={words.revoke}
          onClose={() => {
            revoking.value = null
          }}
          onConfirm={async () => {
            await remove(`/v1/apps/${app.id}/keys/${revoking.value?.id}`)
            reload()
          }}
        >
          <p>{words.revokeWhy}</p>
        </Confirm>
      )}
    </div>
  )
}

function KeyTable({ keys, onRevoke }: { keys: Key[]; onRevoke(key: Key): void }) {
  const words = appWords().keys
  return (
    <Table
      caption={words.key}
      rows={keys}
      keyOf={({ id }) => id}
      columns={[
        { label: words.key, isName: true, cell: (key) => <code>{nameOf(key)}</code> },
        {
          label: words.kind,
          cell: ({ mode }) => (
            <>
              {words.modes[mode]} <span class="faint">{words.modeHints[mode]}</span>
            </>
          ),
        },
        { label: words.made, cell: ({ created_at }) => <Time at={created_at} /> },
        {
          label: words.state,
          cell: ({ revoked_at }) =>
            revoked_at ? (
              <Badge tone="bad">{words.revoked}</Badge>
            ) : (
              <Badge tone="good">{words.active}</Badge>
            ),
        },
        {
          label: frameWords().actions,
          cell: (key) =>
            canChange.value &&
            !key.revoked_at && (
              <div class="buttons">
                <Button look="danger" onClick={() => onRevoke(key)}>
                  {words.revoke}
                </Button>
              </div>
            ),
        },
      ]}
    />
  )
}

function nameOf({ prefix, last_four: lastFour }: Key): string {
  return `${prefix}…${lastFour}`
}

function NewKey({ appId, onClose }: { appId: string; onClose(): void }) {
  const words = appWords().keys
  const mode = useSignal<Mode>('live')
  const made = useSignal<string | null>(null)
  const sending = useSending()
  if (made.value !== null) {
    return (
      <Dialog title={words.addTitle} onClose={onClose}>
        <div class="stack">
          <Notice tone="warn" title={words.once} />
          <Copyable label={words.modes[mode.value] ?? ''} text={made.value} />
          <div class="buttons">
            <Button look="primary" onClick={onClose}>
              {words.done}
            </Button>
          </div>
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog title={words.addTitle} onClose={onClose}>
      <Form
        sending={sending}
        onSubmit={() =>
          sending.send(async () => {
            const body = { mode: mode.value }
            made.value = (await post<{ key: string }>(`/v1/apps/${appId}/keys`, body)).key
          })
        }
        buttons={
          <>
            <Button look="primary" submit busy={sending.busy}>
              {words.make}
            </Button>
            <Button onClick={onClose}>{frameWords().cancel}</Button>
          </>
        }
      >
        <Choices
          label={words.kind}
          value={mode.value}
          options={modes.map((each) => [each, words.modes[each] ?? each])}
          onChange={(chosen) => {
            mode.value = chosen
          }}
        />
        <p class="hint">{words.modeHints[mode.value]}</p>
      </Form>
    </Dialog>
  )
}
