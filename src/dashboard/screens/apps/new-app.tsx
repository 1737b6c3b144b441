import { useSignal } from '@preact/signals'
import { post } from '../../api.ts'
import { Button, ButtonLink } from '../../parts/button.tsx'
import { Copyable } from '../../parts/copy.tsx'
import { Choices, Field } from '../../parts/field.tsx'
import { Form, type Sending, useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Notice } from '../../parts/notice.tsx'
import { Card, Page } from '../../parts/page.tsx'
import type { EndpointKind, Fields, NewAppAnswer, TestDelivery } from '../../wire.ts'
import { EndpointFields, fieldNames } from './endpoint-fields.tsx'
import { TestResult } from './test-result.tsx'
import { newSettings, type Typed } from './values.ts'
import { appsWords } from './words.ts'

export function NewApp() {
  const words = appsWords()
  const fields = useLoaded<Fields>('/v1/fields')
  const made = useSignal<NewAppAnswer | null>(null)
  if (made.value) return <Created app={made.value} />
  return (
    <Page title={words.newApp} back={{ to: '/apps', text: words.title }}>
      <Loaded from={fields}>
        {({ endpoints }) => {
          const mail = endpoints.find(({ kind }) => kind === 'email')
          const done = (app: NewAppAnswer) => {
            made.value = app
          }
          return mail && <CreateForm mail={mail} onDone={done} />
        }}
      </Loaded>
    </Page>
  )
}

/** A usual port and no encryption chosen: the server then takes what fits the port. */
const beginning: Typed = { port: '587' }

function CreateForm({ mail, onDone }: { mail: EndpointKind; onDone(app: NewAppAnswer): void }) {
  const words = appsWords()
  const name = useSignal('')
  const way = useSignal<'mail' | 'later'>('mail')
  const typed = useSignal<Typed>(beginning)
  const sending = useSending()
  const email = () => newSettings(mail, typed.value)
  const create = () =>
    sending.send(async () => {
      const body = { name: name.value, ...(way.value === 'mail' && { email: email() }) }
      onDone(await post<NewAppAnswer>('/v1/apps', body))
    })
  return (
    <Form
      sending={sending}
      shows={['name', 'to', ...fieldNames(mail)]}
      onSubmit={create}
      buttons={
        <Button look="primary" submit busy={sending.busy}>
          {words.create.create}
        </Button>
      }
    >
      <Card>
        <Field
          label={words.name}
          hint={words.create.nameHint}
          error={sending.mistake('name')}
          value={name.value}
          maxLength={64}
          required
          autoFocus
          onInput={(text) => {
            name.value = text
          }}
        />
        <Choices
          label={words.create.with}
          value={way.value}
          options={[
            ['mail', words.create.mail],
            ['later', words.create.later],
          ]}
          onChange={(chosen) => {
            way.value = chosen
          }}
        />
      </Card>
      {way.value === 'mail' && (
        <>
          <Card title={words.create.server}>
            <EndpointFields
              kind={mail}
              typed={typed.value}
              mistake={sending.mistake}
              onInput={(field, text) => {
                typed.value = { ...typed.value, [field]: text }
              }}
            />
          </Card>
          <TryServer draft={() => ({ name: name.value, email: email() })} sending={sending} />
        </>
      )}
    </Form>
  )
}

/** Tries the mail server of the form; what is wrong with its fields is shown beside them. */
function TryServer({
  draft,
  sending,
}: {
  draft(): { name: string; email: object }
  sending: Sending
}) {
  const words = appsWords()
  const to = useSignal('')
  const isTrying = useSignal(false)
  const result = useSignal<TestDelivery | null>(null)
  async function attempt(): Promise<void> {
    isTrying.value = true
    result.value = null
    await sending.send(async () => {
      const { name, email } = draft()
      result.value = await post<TestDelivery>('/v1/test-delivery', {
        email,
        ...(name.trim() !== '' && { name }),
        ...(to.value.trim() !== '' && { to: to.value.trim() }),
      })
    })
    isTrying.value = false
  }
  return (
    <Card title={words.create.try}>
      <p class="faint">{words.create.tryWhy}</p>
      <div class="try">
        <Field
          label={words.create.tryTo}
          type="email"
          inputMode="email"
          value={to.value}
          error={sending.mistake('to')}
          onInput={(text) => {
            to.value = text
          }}
        />
        <Button icon="mail" busy={isTrying.value} onClick={attempt}>
          {to.value.trim() === '' ? words.create.testOnly : words.create.test}
        </Button>
      </div>
      {result.value && <TestResult result={result.value} />}
    </Card>
  )
}

/** Where the API listens unless the admin says otherwise. */
const apiUrl = 'http://127.0.0.1:5000'

/** The new app with its keys, which are never shown again. */
function Created({ app }: { app: NewAppAnswer }) {
  const words = appsWords()
  const example = [
    `curl ${apiUrl}/v1/verifications \\`,
    `  -H 'Authorization: Bearer ${app.test_key}' \\`,
    `  -H 'Content-Type: application/json' -d '{"to": "you@example.com"}'`,
  ].join('\n')
  return (
    <Page
      title={words.create.created(app.name ?? words.unnamed)}
      back={{ to: '/apps', text: words.title }}
    >
      <div class="stack">
        <Notice tone="warn" title={words.create.once} />
        <Copyable label={words.create.live} text={app.live_key} />
        <Copyable label={words.create.test_} text={app.test_key} />
        <Card title={words.create.first}>
          <pre>{example}</pre>
        </Card>
        <div class="buttons">
          <ButtonLink to={`/apps/${app.id}`} look="primary">
            {words.create.toApp}
          </ButtonLink>
        </div>
      </div>
    </Page>
  )
}
