import { useSignal } from '@preact/signals'
import { post, remove } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Loaded, Pager, usePages } from '../../parts/loaded.tsx'
import { Problem, tell } from '../../parts/notice.tsx'
import { Card, Empty } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { canChange } from '../../session.ts'
import type { Suppression } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import type { TabProps } from './app.tsx'
import { appWords } from './app-words.ts'

/** Addresses that get nothing for a while; they are masked, so one is let through by its name. */
export function Suppressions({ app }: TabProps) {
  const words = appWords().suppressions
  const path = `/v1/apps/${app.id}/suppressions`
  const pages = usePages<Suppression>(path)
  const sending = useSending()
  const letThrough = ({ id }: Suppression) =>
    sending.send(async () => {
      await remove(`${path}/${id}`)
      tell(words.removed)
      pages.reload()
    })
  return (
    <div class="stack">
      <p class="faint">{words.lead}</p>
      {sending.refusal && <Problem refusal={sending.refusal} />}
      <Loaded from={pages}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={words.none}>{words.noneYet}</Empty>
          ) : (
            <Card>
              <SuppressionTable items={items} onRemove={letThrough} />
            </Card>
          )
        }
      </Loaded>
      <Pager of={pages} />
      {canChange.value && <LetThrough path={path} onDone={pages.reload} />}
    </div>
  )
}

function SuppressionTable({
  items,
  onRemove,
}: {
  items: Suppression[]
  onRemove(suppression: Suppression): void
}) {
  const words = appWords().suppressions
  return (
    <Table
      caption={words.none}
      rows={items}
      keyOf={({ id }) => id}
      columns={[
        { label: words.to, isName: true, cell: ({ to }) => to },
        {
          label: words.cause,
          cell: ({ cause, code }) => (
            <>
              {words.causes[cause] ?? cause} {code && <code>{code}</code>}
            </>
          ),
        },
        { label: words.since, cell: ({ since }) => <Time at={since} /> },
        { label: words.until, cell: ({ until }) => <Time at={until} /> },
        {
          label: frameWords().actions,
          cell: (each) =>
            canChange.value && (
              <div class="buttons">
                <Button onClick={() => onRemove(each)}>{words.remove}</Button>
              </div>
            ),
        },
      ]}
    />
  )
}

function LetThrough({ path, onDone }: { path: string; onDone(): void }) {
  const words = appWords().suppressions
  const to = useSignal('')
  const sending = useSending()
  return (
    <Card title={words.find}>
      <Form
        sending={sending}
        shows={['to']}
        onSubmit={() =>
          sending.send(async () => {
            await post(`${path}/remove`, { to: to.value.trim() })
            to.value = ''
            tell(words.removed)
            onDone()
          })
        }
        buttons={
          <Button submit busy={sending.busy}>
            {words.remove}
          </Button>
        }
      >
        <Field
          label={words.address}
          value={to.value}
          error={sending.mistake('to')}
          onInput={(text) => {
            to.value = text
          }}
        />
      </Form>
    </Card>
  )
}
