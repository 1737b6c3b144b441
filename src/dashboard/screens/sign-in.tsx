import { Page } from '../parts/page.tsx'

export function SignIn() {
  return <Page title="OtpMint">{null}</Page>
}
