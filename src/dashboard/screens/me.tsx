import { Page } from '../parts/page.tsx'
import { Preferences } from '../parts/preferences.tsx'
import { frameWords } from '../words/frame.ts'

export function Me() {
  return (
    <Page title={frameWords().nav.me}>
      <Preferences />
    </Page>
  )
}
