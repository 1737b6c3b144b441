import { useSignal } from '@preact/signals'
import { patch } from '../api.ts'
import { Button } from '../parts/button.tsx'
import { useSending } from '../parts/form.tsx'
import { Loaded, useLoaded } from '../parts/loaded.tsx'
import { Problem } from '../parts/notice.tsx'
import { Badge, Card, Page } from '../parts/page.tsx'
import { type Column, Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { canChange, session } from '../session.ts'
import { frameWords } from '../words/frame.ts'
import { Invite, NewLink, RemovePerson, SessionsOf } from './people/dialogs.tsx'
import type { Account } from './people/wire.ts'
import { peopleWords } from './people/words.ts'

type Asked = { what: 'invite' } | { what: 'link' | 'remove' | 'sessions'; of: Account }

/** Everybody who may use the dashboard. */
export function People() {
  const words = peopleWords().people
  const people = useLoaded<{ items: Account[] }>('/v1/accounts')
  const asked = useSignal<Asked | null>(null)
  const sending = useSending()
  const ask = (next: Asked | null) => {
    asked.value = next
  }
  const changeRole = ({ id, role }: Account) =>
    void sending.send(async () => {
      await patch(`/v1/accounts/${id}`, { role: role === 'admin' ? 'viewer' : 'admin' })
      people.reload()
    })
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
      {sending.refusal && <Problem refusal={sending.refusal} />}
      <Loaded from={people}>
        {({ items }) => (
          <Card>
            <Table
              caption={frameWords().nav.people}
              columns={columns(ask, changeRole)}
              rows={items}
              keyOf={({ id }) => id}
            />
          </Card>
        )}
      </Loaded>
      <Asking asked={asked.value} onDone={people.reload} onClose={() => ask(null)} />
    </Page>
  )
}

function Asking({ asked, ...rest }: { asked: Asked | null; onDone(): void; onClose(): void }) {
  if (asked === null) return null
  if (asked.what === 'invite') return <Invite {...rest} />
  if (asked.what === 'link') return <NewLink of={asked.of} {...rest} />
  if (asked.what === 'remove') return <RemovePerson of={asked.of} {...rest} />
  return <SessionsOf of={asked.of} {...rest} />
}

function columns(
  ask: (next: Asked) => void,
  changeRole: (account: Account) => void,
): Column<Account>[] {
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
      cell: (account) => (
        <div class="buttons">
          <Button look="quiet" onClick={() => ask({ what: 'sessions', of: account })}>
            {words.sessions}
          </Button>
          {canChange.value && (
            <>
              <Button look="quiet" onClick={() => changeRole(account)}>
                {account.role === 'admin' ? words.makeViewer : words.makeAdmin}
              </Button>
              <Button look="quiet" onClick={() => ask({ what: 'link', of: account })}>
                {words.newLink}
              </Button>
              <Button look="quiet danger" onClick={() => ask({ what: 'remove', of: account })}>
                {frameWords().remove}
              </Button>
            </>
          )}
        </div>
      ),
    },
  ]
}

function Access({ of: { status, has_second_step: hasStep } }: { of: Account }) {
  const words = peopleWords().people
  if (status === 'invited') return <Badge tone="warn">{words.invited}</Badge>
  return <>{hasStep ? words.withStep : words.withoutStep}</>
}
