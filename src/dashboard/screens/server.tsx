import { Page } from '../parts/page.tsx'
import { Tabs } from '../parts/tabs.tsx'
import type { ScreenProps } from '../screens.ts'
import { Audit } from './server/audit.tsx'
import { Backups } from './server/backups.tsx'
import { Settings } from './server/settings.tsx'
import { State } from './server/state.tsx'
import { serverWords } from './server/words.ts'

const tabs = ['state', 'settings', 'audit', 'backups'] as const
const shown = { state: State, settings: Settings, audit: Audit, backups: Backups }

export function Server({ params: { tab } }: ScreenProps) {
  const words = serverWords()
  const current = tabs.find((each) => each === tab) ?? 'state'
  const Shown = shown[current]
  return (
    <Page title={words.title}>
      <Tabs
        label={words.tabs.label}
        current={current}
        tabs={tabs.map((id) => ({ id, text: words.tabs[id], to: `/server/${id}` }))}
      />
      <Shown key={current} />
    </Page>
  )
}
