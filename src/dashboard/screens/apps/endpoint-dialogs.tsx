import { useSignal } from '@preact/signals'
import { patch, post } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Select } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import type { Endpoint, EndpointKind, Fields } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { appWords } from './app-words.ts'
import { endpointName, kindOf, settingsOf } from './endpoint.ts'
import { EndpointFields, fieldNames } from './endpoint-fields.tsx'
import { fieldWords } from './fields-words.ts'
import { noLogin } from './mail-login.ts'
import { changedFields, newSettings, type Typed, typedText } from './values.ts'

type Props = { appId: string; onDone(): void; onClose(): void }

export function AddEndpoint(props: Props) {
  const words = appWords().endpoints
  const fields = useLoaded<Fields>('/v1/fields')
  return (
    <Dialog title={words.addTitle} onClose={props.onClose} wide>
      <Loaded from={fields}>{({ endpoints }) => <AddForm kinds={endpoints} {...props} />}</Loaded>
    </Dialog>
  )
}

function AddForm({ kinds, appId, onDone, onClose }: Props & { kinds: EndpointKind[] }) {
  const words = appWords().endpoints
  const chosen = useSignal('email')
  const typed = useSignal<Typed>({ port: '587' })
  const kind = kinds.find((each) => each.kind === chosen.value)
  if (!kind) return null
  return (
    <EndpointForm
      kind={kind}
      typed={typed.value}
      onType={(name, text) => {
        typed.value = { ...typed.value, [name]: text }
      }}
      onClose={onClose}
      onSend={async () => {
        const settings = newSettings(kind, typed.value)
        const body = { channel: kind.channel, [kind.kind]: settings }
        await post(`/v1/apps/${appId}/endpoints`, body)
        onDone()
      }}
    >
      <Select
        label={words.kind}
        value={chosen.value}
        options={kinds.map((each) => [each.kind, fieldWords().kinds[each.kind] ?? each.noun])}
        onChange={(next) => {
          chosen.value = next
          typed.value = next === 'email' ? { port: '587' } : {}
        }}
      />
    </EndpointForm>
  )
}

export function EditEndpoint({ endpoint, ...props }: Props & { endpoint: Endpoint }) {
  const fields = useLoaded<Fields>('/v1/fields')
  return (
    <Dialog title={endpointName(endpoint)} onClose={props.onClose} wide>
      <Loaded from={fields}>
        {({ endpoints }) => {
          const kind = endpoints.find((each) => each.kind === kindOf(endpoint))
          return kind && <EditForm kind={kind} endpoint={endpoint} {...props} />
        }}
      </Loaded>
    </Dialog>
  )
}

function EditForm({
  kind,
  endpoint,
  appId,
  onDone,
  onClose,
}: Props & { kind: EndpointKind; endpoint: Endpoint }) {
  const settings = settingsOf(endpoint)
  const before = typedBefore(kind, settings)
  const typed = useSignal<Typed>(before)
  return (
    <EndpointForm
      kind={kind}
      typed={typed.value}
      isStored={settings['has_secret'] === true}
      onType={(name, text) => {
        typed.value = { ...typed.value, [name]: text }
      }}
      onClose={onClose}
      onSend={async () => {
        const changed = changedFields(kind.fields, before, typed.value)
        await patch(`/v1/apps/${appId}/endpoints/${endpoint.id}`, { [kind.kind]: changed })
        onDone()
      }}
    />
  )
}

function typedBefore({ kind, fields }: EndpointKind, settings: Record<string, unknown>): Typed {
  const typed = Object.fromEntries(
    fields.map((field) => [field.name, typedText(field, settings[field.name])]),
  )
  return kind === 'email' && settings['user'] === null ? { ...typed, auth: noLogin } : typed
}

function EndpointForm({
  kind,
  typed,
  isStored = false,
  onType,
  onSend,
  onClose,
  children,
}: {
  kind: EndpointKind
  typed: Typed
  isStored?: boolean
  onType(name: string, text: string): void
  onSend(): Promise<void>
  onClose(): void
  children?: preact.ComponentChildren
}) {
  const words = frameWords()
  const sending = useSending()
  return (
    <Form
      sending={sending}
      shows={fieldNames(kind)}
      onSubmit={() => sending.send(onSend)}
      buttons={
        <>
          <Button look="primary" submit busy={sending.busy}>
            {words.save}
          </Button>
          <Button onClick={onClose}>{words.cancel}</Button>
        </>
      }
    >
      {children}
      <EndpointFields {...{ kind, typed, isStored }} mistake={sending.mistake} onInput={onType} />
    </Form>
  )
}
