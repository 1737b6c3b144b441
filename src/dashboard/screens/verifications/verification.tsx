import { Page } from '../../parts/page.tsx'
import { frameWords } from '../../words/frame.ts'

export function Verification() {
  return <Page title={frameWords().nav.verifications}>{null}</Page>
}
