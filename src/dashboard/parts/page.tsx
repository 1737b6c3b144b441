import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import { href } from '../router.ts'
import { Icon } from './icon.tsx'

/** The head and the body of a screen. */
export function Page({
  title,
  lead,
  actions,
  back,
  children,
}: {
  title: string
  /** A sentence below the title. */
  lead?: ComponentChildren
  actions?: ComponentChildren
  /** The screen above this one. */
  back?: { to: string; text: string }
  children: ComponentChildren
}) {
  useEffect(() => {
    document.title = `${title} · OtpMint`
  }, [title])
  return (
    <>
      {back && (
        <a class="back" href={href(back.to)}>
          <Icon name="back" />
          {back.text}
        </a>
      )}
      <div class="page-head">
        <h1 tabIndex={-1}>{title}</h1>
        {actions && <div class="buttons">{actions}</div>}
      </div>
      {lead && <p class="lead">{lead}</p>}
      {children}
    </>
  )
}

/** Where the reader goes on when what had the focus is gone; a screen reader reads it. */
export function focusHeading(): void {
  document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
}

/** A box of a screen with a heading. */
export function Card({
  title,
  actions,
  children,
}: {
  title?: string
  actions?: ComponentChildren
  children: ComponentChildren
}) {
  return (
    <section class="card">
      {(title || actions) && (
        <header>
          {title && <h2>{title}</h2>}
          {actions && <div class="buttons">{actions}</div>}
        </header>
      )}
      {children}
    </section>
  )
}

/** What a screen says while there is nothing to show, with what to do next. */
export function Empty({
  title,
  children,
  action,
}: {
  title: string
  children?: ComponentChildren
  action?: ComponentChildren
}) {
  return (
    <div class="empty">
      <p class="title">{title}</p>
      {children && <p>{children}</p>}
      {action}
    </div>
  )
}

/** Names and values, one below the other or side by side. */
export function Facts({
  of,
}: {
  of: readonly (readonly [name: string, value: ComponentChildren])[]
}) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

export function Badge({
  tone = 'plain',
  children,
}: {
  tone?: 'plain' | 'good' | 'bad' | 'warn'
  children: ComponentChildren
}) {
  return <span class={`badge ${tone}`}>{children}</span>
}
