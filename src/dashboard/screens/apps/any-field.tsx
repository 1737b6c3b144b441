import { Checkbox, Field, Select, TextArea } from '../../parts/field.tsx'
import type { EndpointField, PolicyField } from '../../wire.ts'
import { fieldWords } from './fields-words.ts'

type Described = Omit<PolicyField, 'usual'> & {
  usual: unknown
} & Partial<Pick<EndpointField, 'required' | 'secret'>>

/** A field of a policy or an endpoint, as the server describes it. */
export function AnyField({
  field,
  typed,
  mistake,
  onInput,
  isStored = false,
}: {
  field: Described
  typed: string
  mistake: string | undefined
  onInput(text: string): void
  /** A secret of it is stored, so an empty field keeps it. */
  isStored?: boolean
}) {
  const words = fieldWords()
  const { name, type, of, usual } = field
  const label = words.labels[name] ?? wireLabel(name)
  const kept = field.secret && isStored ? ` ${words.kept}` : ''
  const about = { label, hint: `${hintOf(field)}${kept}`, error: mistake }
  const usualText = usual === null || usual === undefined ? '' : shown(usual)
  if (type === 'boolean') {
    const isOn = typed === '' ? usual === true : typed === 'true'
    // What is as usual is left to the server.
    const choose = (on: boolean) => onInput(on === usual ? '' : String(on))
    return <Checkbox {...about} checked={isOn} onChange={choose} />
  }
  if (type === 'choice') {
    const first = ['', usualText === '' ? words.automatic : words.usually(usualText)] as const
    const others = (of ?? []).filter((each) => each !== usual)
    const options = [first, ...others.map((each) => [each, shown(each)] as const)]
    const value = typed === usual ? '' : typed
    return <Select {...about} value={value} options={options} onChange={onInput} />
  }
  if (field.lines || type === 'texts') {
    return <TextArea {...about} value={typed} onInput={onInput} rows={3} code />
  }
  const isNumber = type === 'integer'
  return (
    <Field
      {...about}
      type={field.secret ? 'password' : 'text'}
      autocomplete={field.secret ? 'new-password' : 'off'}
      inputMode={isNumber ? 'numeric' : 'text'}
      required={field.required === true}
      value={typed}
      placeholder={usualText}
      onInput={onInput}
    />
  )
}

/** Our own sentence where there is one in the reader's language, else the server's. */
function hintOf({ name, says, type, of }: Described): string {
  const words = fieldWords()
  const own = words.hints[name] ?? says.replaceAll('`', '')
  if (type === 'texts') return `${own} ${words.linesOf}`
  if (type !== 'list' && type !== 'integers') return own
  const choices = of && of.length <= 12 ? ` ${of.join(', ')}.` : ''
  return `${own}${choices} ${words.listOf}`
}

function shown(value: unknown): string {
  const words = fieldWords()
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value === 'boolean') return value ? words.on : words.off
  return words.choices[String(value)] ?? String(value)
}

/** A field that has no words yet: `return_urls` as `Return urls`. */
function wireLabel(name: string): string {
  const text = name.replaceAll('_', ' ')
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
