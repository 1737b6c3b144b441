import { useSignal } from '@preact/signals'
import type { Refusal } from '../../api.ts'
import { asRefusal, patch, remove } from '../../api.ts'
import { Button, IconButton } from '../../parts/button.tsx'
import { Confirm } from '../../parts/dialog.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Problem, tell } from '../../parts/notice.tsx'
import { Badge, Card, Empty } from '../../parts/page.tsx'
import { canChange } from '../../session.ts'
import type { AppDetails, Endpoint } from '../../wire.ts'
import { type Channel as ChannelName, channelWords } from '../../words/channels.ts'
import type { TabProps } from './app.tsx'
import { appWords } from './app-words.ts'
import { DnsDialog } from './dns.tsx'
import { endpointName, kindOf } from './endpoint.ts'
import { AddEndpoint, EditEndpoint } from './endpoint-dialogs.tsx'
import { fieldWords } from './fields-words.ts'
import { TestEndpoint } from './test-endpoint.tsx'

type Open =
  | { what: 'edit' | 'test' | 'remove'; endpoint: Endpoint }
  | { what: 'add' | 'dns'; endpoint?: never }
  | null

/** The ways of an app, each channel’s in the order in which they are tried. */
export function Endpoints({ app, reload }: TabProps) {
  const words = appWords().endpoints
  const open = useSignal<Open>(null)
  const refusal = useSignal<Refusal | null>(null)
  const channels = [...new Set(app.endpoints.map(({ channel }) => channel))]
  const show = (what: Open) => {
    open.value = what
  }
  async function change(endpoint: Endpoint, body: object, says?: string): Promise<void> {
    refusal.value = null
    try {
      await patch(`/v1/apps/${app.id}/endpoints/${endpoint.id}`, body)
      if (says) tell(says)
      reload()
    } catch (error) {
      refusal.value = asRefusal(error)
    }
  }
  return (
    <div class="stack">
      <div class="spread">
        <p class="faint">{words.lead}</p>
        <div class="buttons">
          {channels.includes('email') && (
            <Button onClick={() => show({ what: 'dns' })}>{words.dns}</Button>
          )}
          {canChange.value && (
            <Button look="primary" icon="plus" onClick={() => show({ what: 'add' })}>
              {words.add}
            </Button>
          )}
        </div>
      </div>
      {refusal.value && <Problem refusal={refusal.value} />}
      {channels.length === 0 && <Empty title={words.none}>{words.noneYet}</Empty>}
      {channels.map((channel) => (
        <Channel key={channel} {...{ channel, app, change, show }} />
      ))}
      <OpenDialog open={open.value} app={app} close={() => show(null)} reload={reload} />
    </div>
  )
}

type Change = (endpoint: Endpoint, body: object, says?: string) => Promise<void>

/** The ways of one channel: moved by dragging, or by the buttons of each. */
function Channel({
  channel,
  app,
  change,
  show,
}: {
  channel: ChannelName
  app: AppDetails
  change: Change
  show(open: Open): void
}) {
  const words = appWords().endpoints
  const dragged = useSignal<Endpoint | null>(null)
  const over = useSignal<string | null>(null)
  const list = app.endpoints.filter((each) => each.channel === channel)
  const move = (endpoint: Endpoint, rank: number) => {
    if (rank !== endpoint.rank) {
      void change(endpoint, { rank }, words.moved(endpointName(endpoint), rank))
    }
  }
  return (
    <Card title={channelWords()[channel]}>
      <ol class="ways">
        {list.map((endpoint) => (
          <li
            key={endpoint.id}
            class={over.value === endpoint.id ? 'over' : ''}
            draggable={canChange.value && list.length > 1}
            onDragStart={() => {
              dragged.value = endpoint
            }}
            onDragEnd={() => {
              dragged.value = null
              over.value = null
            }}
            onDragOver={(event) => {
              if (!dragged.value) return
              event.preventDefault()
              over.value = endpoint.id
            }}
            onDrop={(event) => {
              event.preventDefault()
              if (dragged.value) move(dragged.value, endpoint.rank)
            }}
          >
            <Way {...{ endpoint, count: list.length, move, change, show }} />
          </li>
        ))}
      </ol>
    </Card>
  )
}

function Way({
  endpoint,
  count,
  move,
  change,
  show,
}: {
  endpoint: Endpoint
  count: number
  move(endpoint: Endpoint, rank: number): void
  change: Change
  show(open: Open): void
}) {
  const words = appWords().endpoints
  const name = endpointName(endpoint)
  const { rank, off } = endpoint
  const isMovable = canChange.value && count > 1
  return (
    <>
      {isMovable && (
        <span class="grip" title={words.drag}>
          <Icon name="grip" />
        </span>
      )}
      <span class="rank">{rank}</span>
      <div class="what">
        <strong>{name}</strong>
        <span class="faint">{fieldWords().kinds[kindOf(endpoint)]}</span>
        {off && <Badge tone="warn">{off === 'gone' ? words.isGone : words.isOff}</Badge>}
      </div>
      {canChange.value && (
        <div class="buttons">
          {isMovable && (
            <>
              <IconButton
                icon="up"
                label={words.up(name)}
                disabled={rank === 1}
                onClick={() => move(endpoint, rank - 1)}
              />
              <IconButton
                icon="down"
                label={words.down(name)}
                disabled={rank === count}
                onClick={() => move(endpoint, rank + 1)}
              />
            </>
          )}
          <Button onClick={() => show({ what: 'test', endpoint })}>{words.test}</Button>
          <Button onClick={() => show({ what: 'edit', endpoint })}>{words.edit}</Button>
          <Button look="quiet" onClick={() => change(endpoint, { enabled: off !== null })}>
            {off === null ? words.off : words.on}
          </Button>
          <Button look="quiet danger" onClick={() => show({ what: 'remove', endpoint })}>
            {words.remove}
          </Button>
        </div>
      )}
    </>
  )
}

function OpenDialog({
  open,
  app,
  close,
  reload,
}: {
  open: Open
  app: AppDetails
  close(): void
  reload(): void
}) {
  const words = appWords().endpoints
  if (open === null) return null
  const { what, endpoint } = open
  if (what === 'dns') return <DnsDialog appId={app.id} onClose={close} />
  const done = () => {
    close()
    reload()
  }
  if (endpoint === undefined) return <AddEndpoint appId={app.id} onDone={done} onClose={close} />
  if (what === 'test') {
    return <TestEndpoint appId={app.id} endpoint={endpoint} onClose={close} />
  }
  if (what === 'edit') {
    return <EditEndpoint appId={app.id} endpoint={endpoint} onDone={done} onClose={close} />
  }
  return (
    <Confirm
      title={words.removeTitle(endpointName(endpoint))}
      action={words.remove}
      onClose={close}
      onConfirm={async () => {
        await remove(`/v1/apps/${app.id}/endpoints/${endpoint.id}`)
        reload()
      }}
    >
      <p>{words.removeWhy}</p>
    </Confirm>
  )
}
