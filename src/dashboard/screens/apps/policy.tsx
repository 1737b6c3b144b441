import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { patch, post } from '../../api.ts'
import { number } from '../../format.ts'
import { Button } from '../../parts/button.tsx'
import { Form, type Sending, useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Notice, tell } from '../../parts/notice.tsx'
import { Card } from '../../parts/page.tsx'
import { canChange } from '../../session.ts'
import { after } from '../../system.ts'
import type { Fields, PolicyEffect, PolicyField } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { AnyField } from './any-field.tsx'
import type { TabProps } from './app.tsx'
import { appWords } from './app-words.ts'
import { changedFields, type Typed, typedText } from './values.ts'

/** Which field stands under which heading; what is in none is under “More”. */
const groups = {
  code: [
    'code_length',
    'ttl_seconds',
    'attempts_max',
    'on_budget_exhausted',
    'longer_codes_on_alarm',
    'code_in_subject',
    'origin',
    'check_delays',
  ],
  route: ['channels', 'fallback_after_seconds', 'learned_route', 'language'],
  limits: [
    'starts_per_minute',
    'starts_per_day',
    'recipient_starts_per_day',
    'cost_per_day',
    'paused',
  ],
  phone: [
    'phone_countries',
    'phone_types',
    'phone_prefix_per_hour',
    'phone_country_per_hour',
    'conversion_alarm_percent',
  ],
} as const
const grouped = new Set<string>(Object.values(groups).flat())

/** The rules of an app, with what they mean for who guesses beside them. */
export function Policy(props: TabProps) {
  const fields = useLoaded<Fields>('/v1/fields')
  return <Loaded from={fields}>{({ policy }) => <PolicyForm fields={policy} {...props} />}</Loaded>
}

function PolicyForm({ app, reload, fields }: TabProps & { fields: PolicyField[] }) {
  const words = appWords().policy
  const before = Object.fromEntries(
    fields.map((field) => [field.name, typedText(field, app.policy[field.name])]),
  )
  const typed = useSignal<Typed>(before)
  const sending = useSending()
  async function save(): Promise<void> {
    const policy = changedFields(fields, before, typed.value)
    if (Object.keys(policy).length === 0) return tell(words.unchanged)
    await patch(`/v1/apps/${app.id}`, { policy })
    tell(frameWords().saved)
    reload()
  }
  return (
    <div class="beside">
      <Form
        sending={sending}
        shows={fields.map(({ name }) => `policy.${name}`)}
        onSubmit={() => sending.send(save)}
        buttons={
          canChange.value && (
            <Button look="primary" submit busy={sending.busy}>
              {frameWords().save}
            </Button>
          )
        }
      >
        <p class="lead">{words.lead}</p>
        <PolicyGroups
          fields={fields}
          typed={typed.value}
          sending={sending}
          onType={(name, text) => {
            typed.value = { ...typed.value, [name]: text }
          }}
        />
      </Form>
      <Effect fields={fields} typed={typed.value} />
    </div>
  )
}

function PolicyGroups({
  fields,
  typed,
  sending,
  onType,
}: {
  fields: PolicyField[]
  typed: Typed
  sending: Sending
  onType(name: string, text: string): void
}) {
  const words = appWords().policy
  const byName = new Map(fields.map((field) => [field.name as string, field]))
  const others = fields.map(({ name }) => name).filter((name) => !grouped.has(name))
  const shown = Object.entries({ ...groups, other: others }).filter(([, names]) => names.length > 0)
  return (
    <>
      {shown.map(([group, names]) => (
        <Card key={group} title={words.groups[group as keyof typeof words.groups]}>
          <div class="fields">
            {names
              .flatMap((name) => byName.get(name) ?? [])
              .map((field) => (
                <AnyField
                  key={field.name}
                  field={field}
                  typed={typed[field.name] ?? ''}
                  mistake={sending.mistake(`policy.${field.name}`)}
                  onInput={(text) => onType(field.name, text)}
                />
              ))}
          </div>
        </Card>
      ))}
    </>
  )
}

const typingMs = 300
/** NIST SP 800-63B-4 asks for a bound; 1 in 1,000 a year is what OtpMint promises at most. */
const boundMax = 0.001

/** What the rules in the form would mean; the server computes it, so the rule is in one place. */
function Effect({ fields, typed }: { fields: PolicyField[]; typed: Typed }) {
  const words = appWords().policy
  const effect = useSignal<PolicyEffect | null>(null)
  useEffect(() => {
    let isWanted = true
    const cancel = after(typingMs, async () => {
      const policy = changedFields(fields, {}, typed)
      const answer = await post<PolicyEffect>('/v1/policy-effect', { policy }).catch(() => null)
      if (isWanted && answer) effect.value = answer
    })
    return () => {
      isWanted = false
      cancel()
    }
  }, [fields, typed, effect])
  if (!effect.value) return <aside class="effect" />
  const { guess_bound_per_year: bound, guesses_per_year: guesses, policy } = effect.value
  const day = number(effect.value.wrong_codes_per_day)
  const month = number(effect.value.wrong_codes_per_month)
  const ends = policy['on_budget_exhausted'] === 'refuse' ? words.refuse : words.wrong
  return (
    <aside class="effect" aria-label={words.bound}>
      <Card title={words.bound}>
        <div class="stack" role="status">
          <p>
            <strong class="figure">
              {words.chance(number(1 / bound, { maximumSignificantDigits: 3 }))}
            </strong>{' '}
            {words.chanceSays}
          </p>
          {bound > boundMax && <Notice tone="warn" title={words.weak} />}
          <p class="faint">{words.guesses(number(guesses))}</p>
          <p class="faint">{ends(day, month)}</p>
        </div>
      </Card>
    </aside>
  )
}
