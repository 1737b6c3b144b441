import { Page } from '../parts/page.tsx'
import { frameWords } from '../words/frame.ts'

export function People() {
  return <Page title={frameWords().nav.people}>{null}</Page>
}
