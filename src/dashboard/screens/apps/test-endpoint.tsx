import { useSignal } from '@preact/signals'
import { post } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Field } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import type { Endpoint, TestDelivery } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { appWords } from './app-words.ts'
import { endpointName } from './endpoint.ts'
import { TestResult } from './test-result.tsx'

/** Tries a stored endpoint, and with an address sends a real message through it. */
export function TestEndpoint({
  appId,
  endpoint,
  onClose,
}: {
  appId: string
  endpoint: Endpoint
  onClose(): void
}) {
  const words = appWords().endpoints
  const to = useSignal('')
  const sending = useSending()
  const result = useSignal<TestDelivery | null>(null)
  return (
    <Dialog title={words.testTitle(endpointName(endpoint))} onClose={onClose}>
      <Form
        sending={sending}
        shows={['to']}
        onSubmit={() =>
          sending.send(async () => {
            result.value = null
            result.value = await post<TestDelivery>(`/v1/apps/${appId}/test-delivery`, {
              endpoint: endpoint.id,
              ...(to.value.trim() !== '' && { to: to.value.trim() }),
            })
          })
        }
        buttons={
          <>
            <Button look="primary" submit busy={sending.busy}>
              {words.send}
            </Button>
            <Button onClick={onClose}>{frameWords().close}</Button>
          </>
        }
      >
        <Field
          label={words.testTo}
          hint={words.testToHint}
          value={to.value}
          error={sending.mistake('to')}
          autoFocus
          onInput={(text) => {
            to.value = text
          }}
        />
      </Form>
      {result.value && <TestResult result={result.value} />}
    </Dialog>
  )
}
