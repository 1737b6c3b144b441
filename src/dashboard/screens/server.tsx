import { Page } from '../parts/page.tsx'
import { frameWords } from '../words/frame.ts'

export function Server() {
  return <Page title={frameWords().nav.server}>{null}</Page>
}
