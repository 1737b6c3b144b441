import { useSignal } from '@preact/signals'
import { Button } from '../../parts/button.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Badge, Card, Empty } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import { href } from '../../router.ts'
import { canChange } from '../../session.ts'
import type { Webhook } from '../../wire.ts'
import type { TabProps } from './app.tsx'
import { OneWebhook } from './webhook.tsx'
import { WebhookDialog } from './webhook-dialog.tsx'
import { webhookWords } from './webhook-words.ts'

/** The webhooks of an app, or one of them with its deliveries. */
export function Webhooks({ app, part }: TabProps) {
  const words = webhookWords()
  const path = `/v1/apps/${app.id}/webhooks`
  const loaded = useLoaded<{ items: Webhook[] }>(path)
  const isAdding = useSignal(false)
  const add = canChange.value && (
    <Button
      look="primary"
      icon="plus"
      onClick={() => {
        isAdding.value = true
      }}
    >
      {words.add}
    </Button>
  )
  return (
    <div class="stack">
      <Loaded from={loaded}>
        {({ items }) => {
          const one = part === null ? undefined : items.find(({ id }) => id === part)
          if (one) return <OneWebhook {...{ app, path }} webhook={one} reload={loaded.reload} />
          return (
            <>
              <div class="spread">
                <p class="faint">{words.lead}</p>
                {items.length > 0 && add}
              </div>
              {items.length === 0 ? (
                <Empty title={words.none} action={add}>
                  {words.noneYet}
                </Empty>
              ) : (
                <Card>
                  <WebhookTable appId={app.id} items={items} />
                </Card>
              )}
            </>
          )
        }}
      </Loaded>
      {isAdding.value && (
        <WebhookDialog
          path={path}
          onDone={loaded.reload}
          onClose={() => {
            isAdding.value = false
          }}
        />
      )}
    </div>
  )
}

function WebhookTable({ appId, items }: { appId: string; items: Webhook[] }) {
  const words = webhookWords()
  return (
    <Table
      caption={words.lead}
      rows={items}
      keyOf={({ id }) => id}
      columns={[
        {
          label: words.url,
          isName: true,
          cell: ({ id, url }) => <a href={href(`/apps/${appId}/webhooks/${id}`)}>{url}</a>,
        },
        { label: words.types, cell: ({ types }) => types.join(', ') },
        { label: words.state, cell: (webhook) => <WebhookState webhook={webhook} /> },
        { label: words.waiting, isNumber: true, cell: ({ waiting }) => waiting ?? 0 },
      ]}
    />
  )
}

export function WebhookState({ webhook }: { webhook: Webhook }) {
  const words = webhookWords()
  const { enabled, off_since: offSince, off_cause: offCause, failing_since: failing } = webhook
  return (
    <span class="row">
      {enabled ? (
        <Badge tone="good">{words.on}</Badge>
      ) : (
        <Badge tone="warn">{words.causes[offCause ?? 'admin']}</Badge>
      )}
      {offSince && (
        <span class="faint">
          {words.offSince} <Time at={offSince} />
        </span>
      )}
      {failing && (
        <span class="faint">
          {words.failing} <Time at={failing} />
        </span>
      )}
    </span>
  )
}
