import { render } from 'preact'
import { Toast } from './parts/notice.tsx'
import { applyPreferences } from './preferences.ts'
import { followAddress, place } from './router.ts'
import { TestInbox } from './screens/inbox.tsx'

/** The page `/dev/inbox` of developer mode: the test inbox alone, without a sign-in. */
function DevInbox() {
  return (
    <main class="inbox-page">
      <TestInbox query={place.value.query} path="/dev/inbox/messages" canClear hasScreens={false} />
      <Toast />
    </main>
  )
}

applyPreferences()
followAddress()
render(<DevInbox />, document.body)
