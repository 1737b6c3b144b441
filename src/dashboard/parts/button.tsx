import type { ComponentChildren } from 'preact'
import { href } from '../router.ts'
import { Icon, type IconName } from './icon.tsx'

type Look = 'primary' | 'plain' | 'danger' | 'quiet' | 'quiet danger'

type ButtonProps = {
  children: ComponentChildren
  onClick?: (() => void) | undefined
  look?: Look
  icon?: IconName
  /** Shows that its call is under way, and ignores further presses. */
  busy?: boolean
  disabled?: boolean
  /** Sends the form that it is in. */
  submit?: boolean
}

export function Button({ look = 'plain', submit, busy, icon, ...props }: ButtonProps) {
  const { children, onClick, disabled = false } = props
  return (
    <button
      type={submit ? 'submit' : 'button'}
      class={`button ${look}`}
      disabled={disabled}
      aria-busy={busy ? 'true' : undefined}
      aria-disabled={busy ? 'true' : undefined}
      onClick={(event) => {
        if (busy) event.preventDefault()
        else onClick?.()
      }}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** A button of one drawing; `label` is its name. */
export function IconButton({
  icon,
  label,
  onClick,
  disabled = false,
}: {
  icon: IconName
  label: string
  onClick: () => void
  disabled?: boolean
}) {
  return (
    <button
      type="button"
      class="button quiet only-icon"
      title={label}
      aria-label={label}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  )
}

/** A link to a screen that looks like a button. */
export function ButtonLink({
  to,
  children,
  look = 'plain',
  icon,
}: {
  to: string
  children: ComponentChildren
  look?: Look
  icon?: IconName
}) {
  return (
    <a class={`button ${look}`} href={href(to)}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  )
}
