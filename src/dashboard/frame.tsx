import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { remove, withQuery } from './api.ts'
import { question } from './confirmation.ts'
import { Button, IconButton } from './parts/button.tsx'
import { Icon } from './parts/icon.tsx'
import { Loading } from './parts/loaded.tsx'
import { Notice, Toast } from './parts/notice.tsx'
import { focusHeading } from './parts/page.tsx'
import { go, href, place } from './router.ts'
import { type Screen, type ScreenComponent, screenAt, sections } from './screens.ts'
import { canChange, isOver, session } from './session.ts'
import { Shortcuts } from './shortcuts.tsx'
import { frameWords } from './words/frame.ts'
import { ConfirmYourself } from './yourself.tsx'

/** The page: navigation and the screen of the address; before a sign-in the screen only. */
export function Frame() {
  const found = screenAt(place.value)
  const isOpen = found?.screen.section === null
  useEffect(sendToSignIn, [session.value, place.value])
  if (session.value === undefined && !isOpen) return <Loading />
  if (isOpen || !session.value) {
    return (
      <>
        <main class="alone">{found && isOpen && <ShownScreen found={found} />}</main>
        <Toast />
      </>
    )
  }
  return (
    <div class="frame">
      <SkipLink />
      <Navigation section={found?.screen.section ?? null} />
      <main id="content" tabIndex={-1}>
        {!canChange.value && <p class="viewer">{frameWords().viewer}</p>}
        {found ? <ShownScreen found={found} /> : <NotFound />}
      </main>
      <Shortcuts />
      {question.value && <ConfirmYourself />}
      <Toast />
    </div>
  )
}

/** Nobody is signed in: the sign-in leads back to where the reader wanted to be. */
function sendToSignIn(): void {
  if (session.value) isOver.value = false
  if (session.value !== null) return
  // What was to be repeated after the password was given is not done for whoever signs in next.
  question.value?.answer(false)
  if (screenAt(place.value)?.screen.section === null) return
  const to = withQuery(place.value.path, Object.fromEntries(place.value.query))
  const back = to === '/' ? '' : `?${new URLSearchParams({ to })}`
  go(`/sign-in${back}`, { replace: true })
}

/** A button, because a link to `#content` would be taken for the address of a screen. */
function SkipLink() {
  return (
    <button
      type="button"
      class="skip"
      onClick={() => document.querySelector<HTMLElement>('#content')?.focus()}
    >
      {frameWords().nav.skip}
    </button>
  )
}

function Navigation({ section }: { section: string | null }) {
  const words = frameWords()
  const isOpen = useSignal(false)
  useEffect(() => {
    isOpen.value = false
  }, [place.value, isOpen])
  return (
    <header class={isOpen.value ? 'side open' : 'side'}>
      <div class="brand">
        <a href={href('/')}>
          <img src="/ui/icon.svg" alt="" width="28" height="28" />
          OtpMint
        </a>
        <button
          type="button"
          class="button quiet only-icon menu"
          aria-expanded={isOpen.value}
          aria-controls="sections"
          aria-label={words.nav.menu}
          onClick={() => {
            isOpen.value = !isOpen.value
          }}
        >
          <Icon name={isOpen.value ? 'close' : 'menu'} />
        </button>
      </div>
      <nav id="sections" aria-label={words.nav.label}>
        {sections.map(({ name, path, icon }) => (
          <a
            key={name}
            href={href(path)}
            class={name === 'me' ? 'me' : ''}
            aria-current={name === section ? 'page' : undefined}
          >
            <Icon name={icon} />
            {words.nav[name]}
          </a>
        ))}
        <div class="who">
          <span title={session.value?.account.name}>{session.value?.account.name}</span>
          <IconButton icon="out" label={words.signOut} onClick={signOut} />
        </div>
      </nav>
    </header>
  )
}

async function signOut(): Promise<void> {
  await remove('/session').catch(() => null)
  session.value = null
}

type Found = NonNullable<ReturnType<typeof screenAt>>

/** Draws the screen once its code is there. */
function ShownScreen({ found: { screen, params } }: { found: Found }) {
  const loaded = useSignal<{ screen: Screen; component: ScreenComponent | null } | null>(null)
  useEffect(() => {
    screen.load().then(
      (component) => {
        loaded.value = { screen, component }
      },
      () => {
        loaded.value = { screen, component: null }
      },
    )
  }, [screen, loaded])
  useEffect(showTop, [place.value.path, loaded.value?.screen])
  if (loaded.value?.screen !== screen) return <Loading />
  const Component = loaded.value.component
  if (!Component) return <Outdated />
  return <Component params={params} query={place.value.query} />
}

let isFirst = true

/** After a change of screen its heading gets the focus, so that a screen reader reads it. */
function showTop(): void {
  if (!document.querySelector('h1')) return
  if (!isFirst) {
    focusHeading()
    scrollTo(0, 0)
  }
  isFirst = false
}

/** The code of a screen is gone from the server, as after an update: a fresh page has it. */
function Outdated() {
  const words = frameWords()
  return (
    <Notice tone="warn" role="alert">
      <p>{words.outdated}</p>
      <Button onClick={() => location.reload()}>{words.reload}</Button>
    </Notice>
  )
}

function NotFound() {
  const words = frameWords()
  return (
    <>
      <h1>{words.notFound}</h1>
      <p>
        <a href={href('/')}>{words.toOverview}</a>
      </p>
    </>
  )
}
