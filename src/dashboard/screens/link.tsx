import { Page } from '../parts/page.tsx'

export function Link() {
  return <Page title="OtpMint">{null}</Page>
}
