import { Toast } from '../../parts/notice.tsx'
import { place } from '../../router.ts'
import { TestInbox } from '../inbox.tsx'

/** The page `/dev/inbox` of developer mode: the test inbox alone, without a sign-in. */
export function DevInbox() {
  return (
    <main class="inbox-page">
      <TestInbox query={place.value.query} path="/dev/inbox/messages" canClear hasScreens={false} />
      <Toast />
    </main>
  )
}
