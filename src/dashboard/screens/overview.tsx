import { Page } from '../parts/page.tsx'
import { frameWords } from '../words/frame.ts'

export function Overview() {
  return <Page title={frameWords().nav.overview}>{null}</Page>
}
