import { useSignal } from '@preact/signals'
import { post } from '../../api.ts'
import { number } from '../../format.ts'
import { Button } from '../../parts/button.tsx'
import { Choices } from '../../parts/field.tsx'
import { FindingText } from '../../parts/finding.tsx'
import { useSending } from '../../parts/form.tsx'
import { Loaded, Pager, usePages } from '../../parts/loaded.tsx'
import { Problem, tell } from '../../parts/notice.tsx'
import { Badge, Card, Empty } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { canChange } from '../../session.ts'
import { now } from '../../system.ts'
import type { WebhookMessage } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { webhookWords } from './webhook-words.ts'

const dayMs = 86_400_000

/** What a webhook was told, the newest first, and how to tell it again. */
export function WebhookLog({ base, onReplay }: { base: string; onReplay(): void }) {
  const words = webhookWords()
  const which = useSignal<'all' | 'dead'>('all')
  const status = which.value === 'dead' ? 'dead' : null
  const pages = usePages<WebhookMessage>(`${base}/messages`, { status })
  const sending = useSending()
  const replay = (body: object) =>
    sending.send(async () => {
      const answer = await post<{ replayed: number; complete: boolean }>(`${base}/replay`, body)
      const says = answer.complete ? words.replayed : words.replayedSome
      tell(says(number(answer.replayed)))
      pages.reload()
      onReplay()
    })
  const since = () => new Date(now() - dayMs).toISOString()
  return (
    <Card
      title={words.log}
      actions={
        canChange.value &&
        status !== null && (
          <Button busy={sending.busy} onClick={() => replay({ from: since() })}>
            {words.replayDead}
          </Button>
        )
      }
    >
      <div class="stack">
        <Choices
          label={words.state}
          value={which.value}
          options={[
            ['all', words.all],
            ['dead', words.dead],
          ]}
          onChange={(chosen) => {
            which.value = chosen
          }}
        />
        {sending.refusal && <Problem refusal={sending.refusal} />}
        <Loaded from={pages}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title={words.noMessages}>
                {status === null ? words.noMessagesYet : words.noDead}
              </Empty>
            ) : (
              <MessageTable items={items} onReplay={(message) => replay({ message })} />
            )
          }
        </Loaded>
        <Pager of={pages} />
      </div>
    </Card>
  )
}

function MessageTable({
  items,
  onReplay,
}: {
  items: WebhookMessage[]
  onReplay(id: string): void
}) {
  const words = webhookWords()
  return (
    <Table
      caption={words.log}
      rows={items}
      keyOf={({ id }) => id}
      columns={[
        { label: words.type, isName: true, cell: ({ type }) => type },
        { label: words.when, cell: ({ created_at }) => <Time at={created_at} /> },
        { label: words.state, cell: (message) => <MessageState message={message} /> },
        { label: words.tries, isNumber: true, cell: ({ tries }) => tries },
        {
          label: words.answer,
          cell: ({ code, detail }) => (
            <>
              {code} {detail && <FindingText>{detail}</FindingText>}
            </>
          ),
        },
        {
          label: frameWords().actions,
          cell: ({ id, status }) =>
            canChange.value &&
            status !== 'waiting' && (
              <div class="buttons">
                <Button onClick={() => onReplay(id)}>{words.replay}</Button>
              </div>
            ),
        },
      ]}
    />
  )
}

function MessageState({ message: { status, next_try_at: next } }: { message: WebhookMessage }) {
  const words = webhookWords()
  const tone = status === 'dead' ? 'bad' : status === 'waiting' ? 'warn' : 'good'
  return (
    <span class="row">
      <Badge tone={tone}>{words.statuses[status] ?? status}</Badge>
      {next && (
        <span class="faint">
          {words.next} <Time at={next} ago />
        </span>
      )}
    </span>
  )
}
