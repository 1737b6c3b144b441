import { Page } from '../../parts/page.tsx'
import { frameWords } from '../../words/frame.ts'

export function NewApp() {
  return <Page title={frameWords().nav.apps}>{null}</Page>
}
