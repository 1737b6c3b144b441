import { App } from './apps/app.tsx'
import { NewApp } from './apps/new-app.tsx'
import { Apps } from './apps.tsx'
import { DevInbox } from './inbox/dev-inbox.tsx'
import { Inbox } from './inbox.tsx'
import { Server } from './server.tsx'
import { Verification } from './verifications/verification.tsx'
import { Verifications } from './verifications.tsx'

/** The screens behind the overview, which come from the server together: they share most of their code. */
export const adminScreens = {
  Apps,
  NewApp,
  App,
  Verifications,
  Verification,
  Server,
  Inbox,
  DevInbox,
}
