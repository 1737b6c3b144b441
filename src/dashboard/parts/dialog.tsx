import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef } from 'preact/hooks'
import { frameWords } from '../words/frame.ts'
import { Button, IconButton } from './button.tsx'
import { Form, useSending } from './form.tsx'
import { focusHeading } from './page.tsx'

/**
 * A modal dialog; it is there while it is drawn. Escape closes it. The focus goes to the field that
 * asks for it, else to the first thing that takes it, and back to where it was.
 */
export function Dialog({
  title,
  onClose,
  onClosed,
  children,
  wide,
}: {
  title: string
  onClose(): void
  /** Called when it is gone and the focus is back. */
  onClosed?(): void
  children: ComponentChildren
  wide?: boolean
}) {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  // Closed before it leaves the document, it gives the focus back, also to another dialog.
  useLayoutEffect(() => {
    const dialog = ref.current
    if (!dialog?.open) dialog?.showModal()
    return () => {
      dialog?.close()
      onClosed?.()
    }
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

/**
 * Asks before something that cannot be undone. Where it fails, the dialog stays and says why. The
 * button that opened it mostly goes away with what is removed, so the focus goes to the heading;
 * `openerStays` says where it does not.
 */
export function Confirm({
  title,
  children,
  action,
  openerStays = false,
  onConfirm,
  onClose,
}: {
  title: string
  children: ComponentChildren
  /** The words of the button. */
  action: string
  openerStays?: boolean
  onConfirm(): Promise<unknown>
  onClose(): void
}) {
  const sending = useSending()
  const isDone = useRef(false)
  const closed = () => {
    if (isDone.current && !openerStays) focusHeading()
  }
  return (
    <Dialog title={title} onClose={onClose} onClosed={closed}>
      <Form
        sending={sending}
        onSubmit={async () => {
          if (!(await sending.send(onConfirm))) return
          isDone.current = true
          onClose()
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
