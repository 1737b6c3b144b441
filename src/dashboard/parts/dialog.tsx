import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { frameWords } from '../words/frame.ts'
import { Button, IconButton } from './button.tsx'
import { Form, useSending } from './form.tsx'

/** A modal dialog; it is there while it is drawn. Escape closes it. */
export function Dialog({
  title,
  onClose,
  children,
  wide,
}: {
  title: string
  onClose(): void
  children: ComponentChildren
  wide?: boolean
}) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    if (!dialog?.open) dialog?.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog
      ref={ref}
      class={wide ? 'wide' : ''}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={frameWords().close} onClick={onClose} />
      </header>
      {children}
    </dialog>
  )
}

/** Asks before something that cannot be undone. Where it fails, the dialog stays and says why. */
export function Confirm({
  title,
  children,
  action,
  onConfirm,
  onClose,
}: {
  title: string
  children: ComponentChildren
  /** The words of the button. */
  action: string
  onConfirm(): Promise<unknown>
  onClose(): void
}) {
  const sending = useSending()
  return (
    <Dialog title={title} onClose={onClose}>
      <Form
        sending={sending}
        onSubmit={async () => {
          if (await sending.send(onConfirm)) onClose()
        }}
        buttons={
          <>
            <Button look="danger" submit busy={sending.busy}>
              {action}
            </Button>
            <Button onClick={onClose}>{frameWords().cancel}</Button>
          </>
        }
      >
        {children}
      </Form>
    </Dialog>
  )
}
