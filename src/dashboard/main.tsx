import './styles/theme.css'
import './styles/frame.css'
import './styles/screen.css'
import './styles/controls.css'
import './styles/apps.css'
import './styles/overview.css'
import './styles/table.css'
import './styles/messages.css'
import './styles/records.css'
import './styles/access.css'
import { render } from 'preact'
import { get } from './api.ts'
import { Frame } from './frame.tsx'
import { applyPreferences } from './preferences.ts'
import { watchReader } from './reader.ts'
import { followAddress } from './router.ts'
import { loadDevInbox } from './screens.ts'
import { type Session, session } from './session.ts'

applyPreferences()
followAddress()

if (location.pathname === '/dev/inbox') {
  const DevInbox = await loadDevInbox()
  render(<DevInbox />, document.body)
} else {
  watchReader()
  render(<Frame />, document.body)

  // Where the server does not answer, the sign-in is shown, and says so when it is sent.
  session.value = await get<Session>('/session').catch(() => null)
}
