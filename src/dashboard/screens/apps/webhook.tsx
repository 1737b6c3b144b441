import { useSignal } from '@preact/signals'
import { patch, post, remove } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/dialog.tsx'
import { FindingText } from '../../parts/finding.tsx'
import { useSending } from '../../parts/form.tsx'
import { Notice, Problem } from '../../parts/notice.tsx'
import { Card, Facts } from '../../parts/page.tsx'
import { go, href } from '../../router.ts'
import { canChange } from '../../session.ts'
import type { AppDetails, Webhook } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { MadeSecret, WebhookDialog } from './webhook-dialog.tsx'
import { WebhookLog } from './webhook-log.tsx'
import { webhookWords } from './webhook-words.ts'
import { WebhookState } from './webhooks.tsx'

type Props = { app: AppDetails; path: string; webhook: Webhook; reload(): void }

/** One webhook: how it stands, what may be done, and what it was told. */
export function OneWebhook({ app, path, webhook, reload }: Props) {
  const words = webhookWords()
  const base = `${path}/${webhook.id}`
  return (
    <>
      <p>
        <a href={href(`/apps/${app.id}/webhooks`)}>{words.back}</a>
      </p>
      <Card title={webhook.url}>
        <Facts
          of={[
            [words.state, <WebhookState key="state" webhook={webhook} />],
            [words.types, webhook.types.join(', ')],
            [words.waiting, webhook.waiting ?? 0],
            [words.testEvents, webhook.test_events ? frameWords().yes : frameWords().no],
          ]}
        />
        {canChange.value && <Actions {...{ base, webhook, reload }} appId={app.id} />}
      </Card>
      <WebhookLog base={base} onReplay={reload} />
    </>
  )
}

type Tested = { delivered: boolean; code?: number; detail?: string }
type Open = 'edit' | 'rotate' | 'remove' | null

function Actions({
  base,
  webhook,
  reload,
  appId,
}: {
  base: string
  webhook: Webhook
  reload(): void
  appId: string
}) {
  const words = webhookWords()
  const sending = useSending()
  const tested = useSignal<Tested | null>(null)
  const open = useSignal<Open>(null)
  const show = (what: Open) => {
    open.value = what
  }
  const test = () =>
    sending.send(async () => {
      tested.value = null
      tested.value = await post<Tested>(`${base}/test`)
    })
  const turn = () =>
    sending.send(async () => {
      await patch(base, { enabled: !webhook.enabled })
      reload()
    })
  return (
    <>
      <div class="buttons after">
        <Button busy={sending.busy} onClick={test}>
          {words.test}
        </Button>
        <Button onClick={() => show('edit')}>{words.edit}</Button>
        <Button onClick={turn}>{webhook.enabled ? words.switchOff : words.switchOn}</Button>
        <Button onClick={() => show('rotate')}>{words.rotate}</Button>
        <Button look="quiet danger" onClick={() => show('remove')}>
          {words.remove}
        </Button>
      </div>
      {sending.refusal && <Problem refusal={sending.refusal} />}
      {tested.value && <TestAnswer tested={tested.value} />}
      <OpenDialog {...{ base, webhook, reload, appId }} open={open.value} show={show} />
    </>
  )
}

function TestAnswer({ tested: { delivered, code, detail } }: { tested: Tested }) {
  const words = webhookWords()
  return (
    <Notice
      tone={delivered ? 'good' : 'bad'}
      role="status"
      title={delivered && code !== undefined ? words.testOk(code) : words.testBad}
    >
      {!delivered && <p>{detail ? <FindingText>{detail}</FindingText> : code}</p>}
    </Notice>
  )
}

function OpenDialog({
  open,
  show,
  base,
  webhook,
  reload,
  appId,
}: {
  open: Open
  show(what: Open): void
  base: string
  webhook: Webhook
  reload(): void
  appId: string
}) {
  const words = webhookWords()
  const made = useSignal<string | null>(null)
  const close = () => show(null)
  if (made.value !== null) {
    const forget = () => {
      made.value = null
    }
    return <MadeSecret title={words.rotate} secret={made.value} onClose={forget} />
  }
  if (open === 'edit') {
    return <WebhookDialog path={base} webhook={webhook} onDone={reload} onClose={close} />
  }
  if (open === 'rotate') {
    const rotate = async () => {
      made.value = (await post<Webhook>(`${base}/rotate`)).secret ?? null
      reload()
    }
    return (
      <Confirm
        title={words.rotateTitle}
        action={words.rotate}
        openerStays
        onConfirm={rotate}
        onClose={close}
      >
        <p>{words.rotateWhy}</p>
      </Confirm>
    )
  }
  if (open !== 'remove') return null
  const removeIt = async () => {
    await remove(base)
    reload()
    go(`/apps/${appId}/webhooks`, { replace: true })
  }
  return (
    <Confirm title={words.removeTitle} action={words.remove} onConfirm={removeIt} onClose={close}>
      <p>{words.removeWhy}</p>
    </Confirm>
  )
}
