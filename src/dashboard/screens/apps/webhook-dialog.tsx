import { useSignal } from '@preact/signals'
import { patch, post } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Copyable } from '../../parts/copy.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Checkbox, Field } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Notice } from '../../parts/notice.tsx'
import type { Webhook } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { webhookWords } from './webhook-words.ts'

type WebhookType = Webhook['types'][number]

/** What a webhook may be told of; the compiler checks that none is missing. */
const everyType: Record<WebhookType, true> = {
  'verification.approved': true,
  'verification.canceled': true,
  'verification.expired': true,
  'verification.exhausted': true,
  'verification.reported': true,
  'delivery.sent': true,
  'delivery.delivered': true,
  'delivery.failed': true,
  'delivery.bounced': true,
  'app.alarm': true,
}
const types = Object.keys(everyType) as WebhookType[]

/** A new webhook, or a change of one. A secret that was made is shown before the dialog closes. */
export function WebhookDialog({
  path,
  webhook,
  onDone,
  onClose,
}: {
  /** Of the list for a new one, else of the webhook. */
  path: string
  webhook?: Webhook
  onDone(): void
  onClose(): void
}) {
  const words = webhookWords()
  const url = useSignal(webhook?.url ?? '')
  const told = useSignal<WebhookType[]>(webhook?.types ?? [])
  const testEvents = useSignal(webhook?.test_events ?? false)
  const secret = useSignal('')
  const made = useSignal<string | null>(null)
  const sending = useSending()
  const title = webhook ? words.edit : words.add
  if (made.value !== null) return <MadeSecret {...{ title, onClose }} secret={made.value} />
  const save = () =>
    sending.send(async () => {
      const body = {
        url: url.value.trim(),
        types: told.value.length > 0 ? told.value : types,
        test_events: testEvents.value,
        ...(secret.value !== '' && { secret: secret.value }),
      }
      const answer = await (webhook ? patch<Webhook>(path, body) : post<Webhook>(path, body))
      onDone()
      if (answer.secret) made.value = answer.secret
      else onClose()
    })
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        sending={sending}
        shows={['url', 'types', 'secret']}
        onSubmit={save}
        buttons={
          <>
            <Button look="primary" submit busy={sending.busy}>
              {frameWords().save}
            </Button>
            <Button onClick={onClose}>{frameWords().cancel}</Button>
          </>
        }
      >
        <Field
          label={words.url}
          type="url"
          inputMode="url"
          value={url.value}
          error={sending.mistake('url')}
          placeholder="https://example.com/otpmint"
          required
          autoFocus
          onInput={(text) => {
            url.value = text
          }}
        />
        <TypeChoices
          told={told.value}
          onChange={(next) => {
            told.value = next
          }}
        />
        <Checkbox
          label={words.testEvents}
          checked={testEvents.value}
          onChange={(on) => {
            testEvents.value = on
          }}
        />
        <Field
          label={words.secret}
          hint={webhook ? undefined : words.secretHint}
          type="password"
          autocomplete="new-password"
          optional
          value={secret.value}
          error={sending.mistake('secret')}
          onInput={(text) => {
            secret.value = text
          }}
        />
      </Form>
    </Dialog>
  )
}

function TypeChoices({
  told,
  onChange,
}: {
  told: WebhookType[]
  onChange(told: WebhookType[]): void
}) {
  const words = webhookWords()
  return (
    <fieldset class="choices">
      <legend>{words.types}</legend>
      {types.map((type) => (
        <label key={type}>
          <input
            type="checkbox"
            checked={told.includes(type)}
            onChange={({ currentTarget: { checked } }) =>
              onChange(types.filter((each) => (each === type ? checked : told.includes(each))))
            }
          />
          <span>{type}</span>
        </label>
      ))}
      <p class="hint">{words.typesHint}</p>
    </fieldset>
  )
}

export function MadeSecret({
  title,
  secret,
  onClose,
}: {
  title: string
  secret: string
  onClose(): void
}) {
  const words = webhookWords()
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="stack">
        <Notice tone="warn" title={words.once} />
        <Copyable label={words.secret} text={secret} />
        <div class="buttons">
          <Button look="primary" onClick={onClose}>
            {frameWords().close}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}
