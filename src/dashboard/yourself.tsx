import { useSignal } from '@preact/signals'
import { post } from './api.ts'
import { question } from './confirmation.ts'
import { Button } from './parts/button.tsx'
import { Dialog } from './parts/dialog.tsx'
import { Field } from './parts/field.tsx'
import { Form, useSending } from './parts/form.tsx'
import { session } from './session.ts'
import { frameWords } from './words/frame.ts'

/** Asks for the password before secrets change. */
export function ConfirmYourself() {
  const words = frameWords()
  const password = useSignal('')
  const code = useSignal('')
  const sending = useSending()
  const hasSecondStep = session.value?.account.has_second_step ?? false

  async function confirm(): Promise<void> {
    const answer = await post<{ confirmed_until: string }>('/session/confirm', {
      password: password.value,
      ...(hasSecondStep && { code: code.value }),
    })
    if (session.value) session.value = { ...session.value, ...answer }
  }

  return (
    <Dialog title={words.confirm.title} onClose={() => question.value?.answer(false)}>
      <Form
        sending={sending}
        shows={['password', 'code']}
        onSubmit={async () => {
          if (await sending.send(confirm)) question.value?.answer(true)
        }}
        buttons={
          <>
            <Button look="primary" submit busy={sending.busy}>
              {words.confirm.send}
            </Button>
            <Button onClick={() => question.value?.answer(false)}>{words.cancel}</Button>
          </>
        }
      >
        <p>{words.confirm.why}</p>
        <Field
          label={words.confirm.password}
          type="password"
          autocomplete="current-password"
          autoFocus
          value={password.value}
          error={sending.mistake('password')}
          onInput={(text) => {
            password.value = text
          }}
        />
        {hasSecondStep && (
          <Field
            label={words.confirm.code}
            autocomplete="one-time-code"
            inputMode="numeric"
            value={code.value}
            error={sending.mistake('code')}
            onInput={(text) => {
              code.value = text
            }}
          />
        )}
      </Form>
    </Dialog>
  )
}
