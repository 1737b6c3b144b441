import type { EndpointKind } from '../../wire.ts'
import { AnyField } from './any-field.tsx'
import { fieldWords } from './fields-words.ts'
import { mailFields } from './mail-login.ts'
import type { Typed } from './values.ts'

/** What most admins fill in for a mail server, in the order that they know it. */
const mailFirst = ['host', 'port', 'security', 'auth', 'user', 'password', 'from', 'from_name']
const mailMore = ['connections_max', 'rate_per_minute', 'cost', 'ca']
const pace = ['connections_max', 'rate_per_minute', 'cost']

/** The fields of an endpoint: the usual ones first, the rest behind “More settings”. */
export function EndpointFields({
  kind: { kind, fields },
  typed,
  mistake,
  onInput,
  isStored,
}: {
  kind: EndpointKind
  typed: Typed
  mistake(field: string): string | undefined
  onInput(name: string, text: string): void
  isStored?: boolean
}) {
  const isMail = kind === 'email'
  const shown = isMail ? mailFields(fields, typed).sort(byMailOrder) : fields
  const later = isMail ? mailMore : pace
  const first = shown.filter(({ name }) => !later.includes(name))
  const more = shown.filter(({ name }) => later.includes(name))
  const hasMistake = more.some(({ name }) => mistake(`${kind}.${name}`) !== undefined)
  const field = (each: EndpointKind['fields'][number]) => (
    <AnyField
      key={each.name}
      field={each}
      typed={typed[each.name] ?? ''}
      mistake={mistake(`${kind}.${each.name}`)}
      isStored={isStored ?? false}
      onInput={(text) => onInput(each.name, text)}
    />
  )
  return (
    <>
      <div class="fields">{first.map(field)}</div>
      <details class="more" {...(hasMistake && { open: true })}>
        <summary>{fieldWords().more}</summary>
        <div class="fields">{more.map(field)}</div>
      </details>
    </>
  )
}

function byMailOrder(a: { name: string }, b: { name: string }): number {
  return mailPlace(a.name) - mailPlace(b.name)
}

/** What belongs to another login than a password stands after the user. */
function mailPlace(name: string): number {
  const at = mailFirst.indexOf(name)
  return at < 0 ? mailFirst.indexOf('password') : at
}

/** The names of the fields of an endpoint, as the server reports mistakes in them. */
export function fieldNames({ kind, fields }: EndpointKind): string[] {
  return fields.map(({ name }) => `${kind}.${name}`)
}
