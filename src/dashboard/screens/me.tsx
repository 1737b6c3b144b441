import { useSignal } from '@preact/signals'
import { get, post, put, remove } from '../api.ts'
import { Button } from '../parts/button.tsx'
import { Confirm } from '../parts/dialog.tsx'
import { Form, useSending } from '../parts/form.tsx'
import { Loaded, useLoaded } from '../parts/loaded.tsx'
import { Problem, tell } from '../parts/notice.tsx'
import { Card, Facts, Page } from '../parts/page.tsx'
import { Preferences } from '../parts/preferences.tsx'
import { Time } from '../parts/time.tsx'
import { type Session, session } from '../session.ts'
import { frameWords } from '../words/frame.ts'
import { NewPassword, NewSecondStep, type Proposed } from './access/parts.tsx'
import { Sessions } from './people/sessions.tsx'
import type { SessionRow } from './people/wire.ts'
import { peopleWords } from './people/words.ts'

/** One’s own account: password, second step, sessions, and what this browser remembers. */
export function Me() {
  const { value } = session
  if (!value) return null
  const words = peopleWords()
  const { name, role } = value.account
  return (
    <Page title={frameWords().nav.me}>
      <div class="stack">
        <Card title={words.me.account}>
          <Facts
            of={[
              [words.me.name, name],
              [words.me.role, words.people.roles[role]],
              [words.me.until, <Time key="until" at={value.expires_at} />],
            ]}
          />
        </Card>
        <Password />
        <SecondStep isOn={value.account.has_second_step} />
        <Here id={value.account.id} />
        <Preferences />
      </div>
    </Page>
  )
}

async function refresh(): Promise<void> {
  session.value = await get<Session>('/session')
}

function Password() {
  const words = peopleWords().me
  const password = useSignal('')
  const sending = useSending()

  async function change(): Promise<void> {
    await put('/session/password', { password: password.value })
    password.value = ''
    tell(words.passwordSaved)
  }
  return (
    <Card title={words.password}>
      <p class="faint lead-in">{words.passwordLead}</p>
      <Form
        sending={sending}
        shows={['password']}
        onSubmit={() => void sending.send(change)}
        buttons={
          <Button submit busy={sending.busy}>
            {words.passwordSend}
          </Button>
        }
      >
        <NewPassword
          value={password.value}
          hasSecondStep={session.value?.account.has_second_step ?? false}
          sending={sending}
          onInput={(text) => {
            password.value = text
          }}
        />
      </Form>
    </Card>
  )
}

function SecondStep({ isOn }: { isOn: boolean }) {
  const words = peopleWords().me
  const proposed = useSignal<Proposed | null>(null)
  const isRemoving = useSignal(false)
  const sending = useSending()
  const propose = async () => {
    proposed.value = await post<Proposed>('/session/second-step')
  }
  return (
    <Card title={words.step}>
      <p class="faint">{isOn ? words.stepOn : words.stepOff}</p>
      {proposed.value ? (
        <SetUp
          proposed={proposed.value}
          onClose={() => {
            proposed.value = null
          }}
        />
      ) : (
        <div class="buttons after">
          <Button busy={sending.busy} onClick={() => void sending.send(propose)}>
            {isOn ? words.stepAgain : words.stepBegin}
          </Button>
          {isOn && (
            <Button
              look="danger"
              onClick={() => {
                isRemoving.value = true
              }}
            >
              {words.stepRemove}
            </Button>
          )}
        </div>
      )}
      {sending.refusal && <Problem refusal={sending.refusal} />}
      {isRemoving.value && (
        <Confirm
          title={words.stepRemove}
          action={frameWords().remove}
          onClose={() => {
            isRemoving.value = false
          }}
          onConfirm={async () => {
            await remove('/session/second-step')
            await refresh()
          }}
        >
          <p>{words.stepRemoveLead}</p>
        </Confirm>
      )}
    </Card>
  )
}

function SetUp({ proposed, onClose }: { proposed: Proposed; onClose(): void }) {
  const words = peopleWords().me
  const code = useSignal('')
  const sending = useSending()

  async function switchOn(): Promise<void> {
    await put('/session/second-step', { secret: proposed.secret, code: code.value })
    await refresh()
    tell(words.stepSaved)
    onClose()
  }
  return (
    <Form
      sending={sending}
      shows={['code']}
      onSubmit={() => void sending.send(switchOn)}
      buttons={
        <>
          <Button look="primary" submit busy={sending.busy}>
            {words.stepSend}
          </Button>
          <Button onClick={onClose}>{frameWords().cancel}</Button>
        </>
      }
    >
      <NewSecondStep
        proposed={proposed}
        code={code.value}
        sending={sending}
        onInput={(text) => {
          code.value = text
        }}
      />
    </Form>
  )
}

/** Where this person is signed in. */
function Here({ id }: { id: string }) {
  const words = peopleWords().me
  const sessions = useLoaded<{ items: SessionRow[] }>(`/v1/accounts/${id}/sessions`)
  const sending = useSending()
  const endOthers = async () => {
    await remove('/session/others')
    sessions.reload()
  }
  return (
    <Card title={words.sessions}>
      <Loaded from={sessions}>
        {({ items }) => (
          <>
            <Sessions rows={items} />
            {items.length > 1 && (
              <div class="buttons after">
                <Button busy={sending.busy} onClick={() => void sending.send(endOthers)}>
                  {words.endOthers}
                </Button>
              </div>
            )}
          </>
        )}
      </Loaded>
      {sending.refusal && <Problem refusal={sending.refusal} />}
    </Card>
  )
}
