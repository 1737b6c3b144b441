import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { asRefusal, post } from '../api.ts'
import { Button } from '../parts/button.tsx'
import { Field } from '../parts/field.tsx'
import { Form, useSending } from '../parts/form.tsx'
import { Notice } from '../parts/notice.tsx'
import { Card, Page } from '../parts/page.tsx'
import { go } from '../router.ts'
import type { ScreenProps } from '../screens.ts'
import { isOver, type Session, session } from '../session.ts'
import { accessWords } from './access/words.ts'

/** Name and password; the code of a second step is asked for once the password was right. */
export function SignIn({ query }: ScreenProps) {
  const words = accessWords().signIn
  const [name, password, code] = [useSignal(''), useSignal(''), useSignal('')]
  const needsCode = useSignal(false)
  const sending = useSending()
  const target = query.get('to') ?? '/'
  const isSignedIn = Boolean(session.value)
  useEffect(() => {
    if (isSignedIn) go(target, { replace: true })
  }, [isSignedIn, target])

  async function signIn(): Promise<void> {
    const typed = { name: name.value, password: password.value }
    try {
      const answer = await post<Session>('/session', {
        ...typed,
        ...(needsCode.value && { code: code.value }),
      })
      session.value = answer
    } catch (error) {
      if (asRefusal(error).code !== 'second_step_required') throw error
      needsCode.value = true
    }
  }

  return (
    <Page title={words.title}>
      {isOver.value && (
        <Notice tone="info" role="alert">
          <p>{words.over}</p>
        </Notice>
      )}
      <Card>
        <Form
          sending={sending}
          shows={['name', 'password', 'code']}
          onSubmit={() => void sending.send(signIn)}
          buttons={
            <Button look="primary" submit busy={sending.busy}>
              {words.send}
            </Button>
          }
        >
          <Field
            label={words.name}
            autocomplete="username"
            autoFocus
            required
            value={name.value}
            error={sending.mistake('name')}
            onInput={(text) => {
              name.value = text
              needsCode.value = false
            }}
          />
          <Field
            label={words.password}
            type="password"
            autocomplete="current-password"
            required
            value={password.value}
            error={sending.mistake('password')}
            onInput={(text) => {
              password.value = text
            }}
          />
          {needsCode.value && (
            <Field
              label={words.code}
              hint={words.codeHint}
              autocomplete="one-time-code"
              inputMode="numeric"
              autoFocus
              required
              value={code.value}
              error={sending.mistake('code')}
              onInput={(text) => {
                code.value = text
              }}
            />
          )}
        </Form>
      </Card>
      <details class="help">
        <summary>{words.helpTitle}</summary>
        <p>{words.help}</p>
        <p>
          <code>otpmint dashboard link</code>
        </p>
      </details>
    </Page>
  )
}
