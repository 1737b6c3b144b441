import { useSignal } from '@preact/signals'
import { Button } from '../parts/button.tsx'
import { Loaded, useLoaded } from '../parts/loaded.tsx'
import { Badge, Card, Page } from '../parts/page.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { canChange, session } from '../session.ts'
import { frameWords } from '../words/frame.ts'
import {
  ChangeRole,
  Invite,
  Manage,
  NewLink,
  RemovePerson,
  SessionsOf,
  type Task,
} from './people/dialogs.tsx'
import type { Account } from './people/wire.ts'
import { peopleWords } from './people/words.ts'

type Asked = { what: 'invite' } | { what: Task | 'manage'; of: Account }

/** Everybody who may use the dashboard. */
export function People() {
  const words = peopleWords().people
  const people = useLoaded<{ items: Account[] }>('/v1/accounts')
  const asked = useSignal<Asked | null>(null)
  const ask = (next: Asked | null) => {
    asked.value = next
  }
  return (
    <Page
      title={frameWords().nav.people}
      lead={words.lead}
      actions={
        canChange.value && (
          <Button look="primary" icon="plus" onClick={() => ask({ what: 'invite' })}>
            {words.invite}
          </Button>
        )
      }
    >
      <Loaded from={people}>
        {({ items }) => (
          <Card>
            <Table
              caption={frameWords().nav.people}
              columns={columns((of) => ask({ what: 'manage', of }))}
              rows={items}
              keyOf={({ id }) => id}
            />
          </Card>
        )}
      </Loaded>
      <Asking asked={asked.value} ask={ask} onDone={people.reload} />
    </Page>
  )
}

/** The dialog that is open. */
function Asking({
  asked,
  ask,
  onDone,
}: {
  asked: Asked | null
  ask(next: Asked | null): void
  onDone(): void
}) {
  if (asked === null) return null
  const rest = { onDone, onClose: () => ask(null) }
  if (asked.what === 'invite') return <Invite {...rest} />
  const { of } = asked
  if (asked.what === 'manage') {
    return <Manage of={of} onTask={(what) => ask({ what, of })} onClose={rest.onClose} />
  }
  const Task = { link: NewLink, role: ChangeRole, remove: RemovePerson, sessions: SessionsOf }
  const Open = Task[asked.what]
  return <Open of={of} {...rest} />
}

function columns(manage: (account: Account) => void): Column<Account>[] {
  const words = peopleWords().people
  const own = session.value?.account.id
  return [
    {
      label: words.name,
      isName: true,
      cell: ({ id, name }) => (
        <>
          {name} {id === own && <Badge>{words.you}</Badge>}
        </>
      ),
    },
    { label: words.role, cell: ({ role }) => words.roles[role] },
    { label: words.status, cell: (account) => <Access of={account} /> },
    {
      label: words.lastSignIn,
      cell: ({ signed_in_at: at }) => (at === null ? frameWords().never : <Time at={at} ago />),
    },
    {
      label: frameWords().actions,
      cell: (account) => <Button onClick={() => manage(account)}>{words.manage}</Button>,
    },
  ]
}

function Access({ of: { status, has_second_step: hasStep } }: { of: Account }) {
  const words = peopleWords().people
  if (status === 'invited') return <Badge tone="warn">{words.invited}</Badge>
  return <>{hasStep ? words.withStep : words.withoutStep}</>
}
