import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Page } from '../../parts/page.tsx'
import { Tabs } from '../../parts/tabs.tsx'
import type { ScreenProps } from '../../screens.ts'
import type { AppDetails } from '../../wire.ts'
import { AppState } from '../apps.tsx'
import { AppSettings } from './app-settings.tsx'
import { Endpoints } from './endpoints.tsx'
import { Keys } from './keys.tsx'
import { Messages } from './messages.tsx'
import { Policy } from './policy.tsx'
import { Suppressions } from './suppressions.tsx'
import { Webhooks } from './webhooks.tsx'
import { appsWords } from './words.ts'

const tabs = [
  'endpoints',
  'policy',
  'keys',
  'messages',
  'webhooks',
  'suppressions',
  'settings',
] as const
type Tab = (typeof tabs)[number]

export type TabProps = {
  app: AppDetails
  /** Reads the app again after a change. */
  reload(): void
  /** What follows the tab in the address. */
  part: string | null
}

/** One app, with a tab for each part of it. */
export function App({ params: { id = '', tab, part } }: ScreenProps) {
  const words = appsWords()
  const loaded = useLoaded<AppDetails>(`/v1/apps/${id}`)
  const current = tabs.find((each) => each === tab) ?? 'endpoints'
  const name = loaded.value === null ? '…' : (loaded.value.name ?? words.unnamed)
  return (
    <Page
      title={name}
      back={{ to: '/apps', text: words.title }}
      actions={loaded.value && <AppState app={loaded.value} />}
    >
      <Tabs
        label={words.tabs.label}
        current={current}
        tabs={tabs.map((each) => ({ id: each, text: words.tabs[each], to: `/apps/${id}/${each}` }))}
      />
      <Loaded from={loaded}>
        {(app) => (
          <ShownTab
            key={current}
            tab={current}
            app={app}
            part={part ?? null}
            reload={loaded.reload}
          />
        )}
      </Loaded>
    </Page>
  )
}

function ShownTab({ tab, ...props }: TabProps & { tab: Tab }) {
  const Component = components[tab]
  return <Component {...props} />
}

const components: Record<Tab, (props: TabProps) => ReturnType<typeof Endpoints>> = {
  endpoints: Endpoints,
  policy: Policy,
  keys: Keys,
  messages: Messages,
  webhooks: Webhooks,
  suppressions: Suppressions,
  settings: AppSettings,
}
