import { useSignal } from '@preact/signals'
import { patch, post, remove } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Copyable } from '../../parts/copy.tsx'
import { Confirm, Dialog } from '../../parts/dialog.tsx'
import { Choices, Field } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Notice } from '../../parts/notice.tsx'
import { canChange, type Role } from '../../session.ts'
import { frameWords } from '../../words/frame.ts'
import { Sessions } from './sessions.tsx'
import type { Account, Invited, SessionRow } from './wire.ts'
import { peopleWords } from './words.ts'

/** Asks for a name and a role, and shows the link that the person needs. */
export function Invite({ onDone, onClose }: { onDone(): void; onClose(): void }) {
  const words = peopleWords().people
  const name = useSignal('')
  const role = useSignal<Role>('viewer')
  const invited = useSignal<Invited | null>(null)
  const sending = useSending()
  if (invited.value) return <TheLink of={invited.value} onClose={onClose} />

  async function invite(): Promise<void> {
    const body = { name: name.value, role: role.value }
    invited.value = await post<Invited>('/v1/accounts', body)
    onDone()
  }
  return (
    <Dialog title={words.inviteTitle} onClose={onClose}>
      <Form
        sending={sending}
        shows={['name', 'role']}
        onSubmit={() => void sending.send(invite)}
        buttons={
          <>
            <Button look="primary" submit busy={sending.busy}>
              {words.invite}
            </Button>
            <Button onClick={onClose}>{frameWords().cancel}</Button>
          </>
        }
      >
        <p>{words.inviteLead}</p>
        <Field
          label={words.name}
          hint={words.nameHint}
          autoFocus
          required
          value={name.value}
          error={sending.mistake('name')}
          onInput={(text) => {
            name.value = text
          }}
        />
        <Choices
          label={words.role}
          value={role.value}
          options={[
            ['viewer', words.roles.viewer],
            ['admin', words.roles.admin],
          ]}
          onChange={(chosen) => {
            role.value = chosen
          }}
        />
        <p class="faint">{words.roleHints}</p>
      </Form>
    </Dialog>
  )
}

/** Asks before a link that recovers an account is made, and shows it. */
export function NewLink({ of: { id, name }, onClose }: { of: Account; onClose(): void }) {
  const words = peopleWords().people
  const made = useSignal<Invited | null>(null)
  const sending = useSending()
  if (made.value) return <TheLink of={made.value} onClose={onClose} />
  return (
    <Dialog title={words.newLinkTitle(name)} onClose={onClose}>
      <Form
        sending={sending}
        onSubmit={() =>
          void sending.send(async () => {
            made.value = await post<Invited>(`/v1/accounts/${id}/link`)
          })
        }
        buttons={
          <>
            <Button look="primary" submit busy={sending.busy}>
              {words.newLink}
            </Button>
            <Button onClick={onClose}>{frameWords().cancel}</Button>
          </>
        }
      >
        <p>{words.newLinkLead}</p>
      </Form>
    </Dialog>
  )
}

function TheLink({ of: { name, link }, onClose }: { of: Invited; onClose(): void }) {
  const words = peopleWords().people
  return (
    <Dialog title={words.linkTitle(name)} onClose={onClose}>
      {link === null ? (
        <Notice tone="warn">{words.linkOff}</Notice>
      ) : (
        <>
          <p>{words.linkLead}</p>
          <Copyable label={words.link} text={link} />
        </>
      )}
      <div class="buttons after">
        <Button look="primary" onClick={onClose}>
          {words.done}
        </Button>
      </div>
    </Dialog>
  )
}

export type Task = 'sessions' | 'role' | 'link' | 'remove'

/** What can be done about a person; each task says what it does before it is done. */
export function Manage({
  of: { name, role },
  onTask,
  onClose,
}: {
  of: Account
  onTask(task: Task): void
  onClose(): void
}) {
  const words = peopleWords().people
  const tasks: [Task, string][] = [
    ['sessions', words.sessions],
    ...(canChange.value
      ? ([
          ['role', role === 'admin' ? words.makeViewer : words.makeAdmin],
          ['link', words.newLink],
          ['remove', frameWords().remove],
        ] satisfies [Task, string][])
      : []),
  ]
  return (
    <Dialog title={name} onClose={onClose}>
      <ul class="tasks">
        {tasks.map(([task, text]) => (
          <li key={task}>
            <Button look={task === 'remove' ? 'danger' : 'plain'} onClick={() => onTask(task)}>
              {text}
            </Button>
            <p class="faint">{words.tasks[task]}</p>
          </li>
        ))}
      </ul>
    </Dialog>
  )
}

type OfAccount = { of: Account; onDone(): void; onClose(): void }

/** Makes an admin a viewer, or the other way round. */
export function ChangeRole({ of: { id, name, role }, onDone, onClose }: OfAccount) {
  const words = peopleWords().people
  const next: Role = role === 'admin' ? 'viewer' : 'admin'
  return (
    <Confirm
      title={`${name}: ${words.roles[next]}`}
      action={next === 'admin' ? words.makeAdmin : words.makeViewer}
      openerStays
      onClose={onClose}
      onConfirm={async () => {
        await patch(`/v1/accounts/${id}`, { role: next })
        onDone()
      }}
    >
      <p>{words.roleHints}</p>
    </Confirm>
  )
}

export function RemovePerson({ of: { id, name }, onDone, onClose }: OfAccount) {
  const words = peopleWords().people
  return (
    <Confirm
      title={words.removeTitle(name)}
      action={frameWords().remove}
      onClose={onClose}
      onConfirm={async () => {
        await remove(`/v1/accounts/${id}`)
        onDone()
      }}
    >
      <p>{words.removeLead}</p>
    </Confirm>
  )
}

/** The sessions of a person, which an admin can end. */
export function SessionsOf({ of: { id, name }, onClose }: Omit<OfAccount, 'onDone'>) {
  const words = peopleWords().people
  const sessions = useLoaded<{ items: SessionRow[] }>(`/v1/accounts/${id}/sessions`)
  const sending = useSending()
  const end = (row: SessionRow) =>
    void sending.send(async () => {
      await remove(`/v1/accounts/${id}/sessions/${row.id}`)
      sessions.reload()
    })
  return (
    <Dialog title={words.sessionsTitle(name)} onClose={onClose} wide>
      <Loaded from={sessions}>
        {({ items }) =>
          items.length === 0 ? (
            <p>{words.noSessions}</p>
          ) : (
            <Sessions rows={items} onEnd={canChange.value ? end : undefined} />
          )
        }
      </Loaded>
    </Dialog>
  )
}
