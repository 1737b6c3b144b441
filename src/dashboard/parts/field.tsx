import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { frameWords } from '../words/frame.ts'

type About = {
  label: string
  /** What to enter, in a sentence. */
  hint?: ComponentChildren
  /** What is wrong with it, as the server says. */
  error?: string | undefined
  optional?: boolean
}

type Typed = About & {
  value: string
  onInput(value: string): void
  required?: boolean
  readOnly?: boolean
  placeholder?: string
}

type FieldProps = Typed & {
  type?: 'text' | 'password' | 'email' | 'url' | 'number' | 'search'
  autocomplete?: AutoFill
  inputMode?: 'numeric' | 'email' | 'url' | 'text'
  autoFocus?: boolean
  min?: number
  max?: number
  maxLength?: number
}
type AutoFill = 'off' | 'username' | 'current-password' | 'new-password' | 'one-time-code' | 'name'

/** A text field with its label, hint and mistake. */
export function Field({ type = 'text', autocomplete = 'off', autoFocus, ...props }: FieldProps) {
  const { inputMode, min, max, maxLength, placeholder } = props
  return (
    <Labelled {...props}>
      {(control) => (
        <input
          {...control}
          {...typeOf(type)}
          value={props.value}
          required={props.required ?? false}
          readOnly={props.readOnly ?? false}
          autocomplete={autocomplete}
          autocapitalize="off"
          spellcheck={false}
          {...(inputMode && { inputMode })}
          {...(min !== undefined && { min })}
          {...(max !== undefined && { max })}
          {...(maxLength !== undefined && { maxLength })}
          {...(placeholder !== undefined && { placeholder })}
          // The attribute is for dialogs, which have the focus go there when they open.
          {...(autoFocus && { autofocus: true, ref: focusOnce })}
          onInput={({ currentTarget }) => props.onInput(currentTarget.value)}
        />
      )}
    </Labelled>
  )
}

/** A file to choose; `onChoose` gets none where the reader takes the choice back. */
export function FileField({
  accept,
  disabled,
  onChoose,
  ...about
}: About & { accept: string; disabled: boolean; onChoose(file: File | undefined): void }) {
  return (
    <Labelled {...about}>
      {(control) => (
        <input
          {...control}
          type="file"
          accept={accept}
          disabled={disabled}
          onChange={({ currentTarget }) => onChoose(currentTarget.files?.[0])}
        />
      )}
    </Labelled>
  )
}

export function TextArea({ rows = 5, code, ...props }: Typed & { rows?: number; code?: boolean }) {
  return (
    <Labelled {...props}>
      {(control) => (
        <textarea
          {...control}
          class={code ? 'code' : ''}
          rows={rows}
          value={props.value}
          required={props.required ?? false}
          readOnly={props.readOnly ?? false}
          spellcheck={false}
          onInput={({ currentTarget }) => props.onInput(currentTarget.value)}
        />
      )}
    </Labelled>
  )
}

export function Select<Choice extends string>({
  value,
  options,
  onChange,
  ...about
}: About & {
  value: Choice
  options: readonly (readonly [value: Choice, text: string])[]
  onChange(value: Choice): void
}) {
  return (
    <Labelled {...about}>
      {(control) => (
        <select
          {...control}
          value={value}
          onChange={({ currentTarget }) => onChange(currentTarget.value as Choice)}
        >
          {options.map(([choice, text]) => (
            <option key={choice} value={choice} selected={choice === value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Labelled>
  )
}

export function Checkbox({
  label,
  hint,
  error,
  checked,
  disabled = false,
  onChange,
}: About & { checked: boolean; disabled?: boolean; onChange(checked: boolean): void }) {
  const id = useId()
  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={checked}
        disabled={disabled}
        aria-describedby={describedBy(id, hint, error)}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      <Below id={id} hint={hint} error={error} />
    </div>
  )
}

/** A few choices that are all seen at once. */
export function Choices<Choice extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: Choice
  options: readonly (readonly [value: Choice, text: string])[]
  onChange(value: Choice): void
}) {
  const name = useId()
  return (
    <fieldset class="choices">
      <legend>{label}</legend>
      {options.map(([choice, text]) => (
        <label key={choice}>
          <input
            type="radio"
            name={name}
            checked={choice === value}
            onChange={() => onChange(choice)}
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  )
}

type Control = {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': 'true' | undefined
}

function Labelled({
  label,
  hint,
  error,
  optional,
  children,
}: About & { children(control: Control): ComponentChildren }) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>
        {label}
        {optional && <span class="faint"> ({frameWords().optional})</span>}
      </label>
      {children({
        id,
        'aria-describedby': describedBy(id, hint, error),
        'aria-invalid': error ? 'true' : undefined,
      })}
      <Below id={id} hint={hint} error={error} />
    </div>
  )
}

function Below({
  id,
  hint,
  error,
}: {
  id: string
  hint: ComponentChildren
  error?: string | undefined
}) {
  return (
    <>
      {error && (
        <p class="mistake" id={`${id}-error`}>
          {error}
        </p>
      )}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </>
  )
}

function describedBy(id: string, hint: ComponentChildren, error: string | undefined) {
  const ids = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean)
  return ids.length === 0 ? undefined : ids.join(' ')
}

/** Preact's types want one type of field to be known, for its attributes. */
function typeOf(type: NonNullable<FieldProps['type']>): { type: 'text' } {
  return { type } as { type: 'text' }
}

function focusOnce(input: HTMLInputElement | null): void {
  input?.focus()
}
