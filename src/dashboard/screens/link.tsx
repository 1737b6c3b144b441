import { type Signal, useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { asRefusal, post, type Refusal } from '../api.ts'
import { Button } from '../parts/button.tsx'
import { Checkbox, Field } from '../parts/field.tsx'
import { Form, useSending } from '../parts/form.tsx'
import { Loading } from '../parts/loaded.tsx'
import { Notice, Problem } from '../parts/notice.tsx'
import { Card, Page } from '../parts/page.tsx'
import { go } from '../router.ts'
import type { ScreenProps } from '../screens.ts'
import { type Role, type Session, session } from '../session.ts'
import { NewPassword, NewSecondStep, type Proposed } from './access/parts.tsx'
import { accessWords } from './access/words.ts'

type Purpose = {
  purpose: 'create' | 'recover'
  name: string | null
  role: Role
  second_step: Proposed
}

/** A one-time link: who has it chooses a password and is signed in. */
export function Link({ params }: ScreenProps) {
  const words = accessWords().link
  const token = params['token'] ?? ''
  const purpose = useSignal<Purpose | Refusal | null>(null)
  useEffect(() => void read(token, purpose), [token, purpose])
  const found = purpose.value
  if (found === null) return <Loading />
  if ('purpose' in found) return <Accept token={token} purpose={found} />
  if (found.code === 'link_not_found') return <Gone />
  return (
    <Page title={words.gone}>
      <Problem refusal={found} />
    </Page>
  )
}

async function read(token: string, purpose: Signal<Purpose | Refusal | null>): Promise<void> {
  try {
    purpose.value = await post<Purpose>('/session/link', { token })
  } catch (error) {
    purpose.value = asRefusal(error)
  }
}

function Gone() {
  const words = accessWords().link
  return (
    <Page title={words.gone}>
      <Notice tone="warn">
        <p>{words.goneWhy}</p>
        <p>{words.goneNext}</p>
        <p>
          <code>otpmint dashboard link</code>
        </p>
      </Notice>
    </Page>
  )
}

function Accept({ token, purpose }: { token: string; purpose: Purpose }) {
  const words = accessWords()
  const isNew = purpose.purpose === 'create'
  const [name, password, code] = [useSignal(purpose.name ?? ''), useSignal(''), useSignal('')]
  const hasSecondStep = useSignal(false)
  const sending = useSending()

  async function accept(): Promise<void> {
    const { secret } = purpose.second_step
    session.value = await post<Session>('/session/accept', {
      token,
      password: password.value,
      ...(purpose.name === null && { name: name.value }),
      ...(hasSecondStep.value && { secret, code: code.value }),
    })
    // The token leaves the address with it.
    go('/', { replace: true })
  }

  return (
    <Page
      title={isNew ? words.link.create : words.link.recover}
      lead={isNew ? words.link.createLead : words.link.recoverLead}
    >
      <Card>
        <Form
          sending={sending}
          shows={['name', 'password', 'code']}
          onSubmit={() => void sending.send(accept)}
          buttons={
            <Button look="primary" submit busy={sending.busy}>
              {words.link.send}
            </Button>
          }
        >
          <Field
            label={words.signIn.name}
            hint={words.link.nameHint}
            autocomplete="username"
            autoFocus={purpose.name === null}
            required
            readOnly={purpose.name !== null}
            value={name.value}
            error={sending.mistake('name')}
            onInput={(text) => {
              name.value = text
            }}
          />
          <NewPassword
            value={password.value}
            hasSecondStep={hasSecondStep.value}
            sending={sending}
            onInput={(text) => {
              password.value = text
            }}
          />
          <Checkbox
            label={words.step.ask}
            checked={hasSecondStep.value}
            onChange={(isOn) => {
              hasSecondStep.value = isOn
            }}
          />
          {hasSecondStep.value && (
            <NewSecondStep
              proposed={purpose.second_step}
              code={code.value}
              sending={sending}
              onInput={(text) => {
                code.value = text
              }}
            />
          )}
        </Form>
      </Card>
    </Page>
  )
}
