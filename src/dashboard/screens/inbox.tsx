import { Page } from '../parts/page.tsx'
import { frameWords } from '../words/frame.ts'

export function Inbox() {
  return <Page title={frameWords().nav.inbox}>{null}</Page>
}
