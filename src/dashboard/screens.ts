import type { ComponentType } from 'preact'
import type { IconName } from './parts/icon.tsx'
import { matched, type Place } from './router.ts'

export type ScreenProps = { params: Record<string, string>; query: URLSearchParams }
export type ScreenComponent = ComponentType<ScreenProps>

type Section = 'overview' | 'apps' | 'verifications' | 'inbox' | 'server' | 'people' | 'me'

export type Screen = {
  pattern: string
  /** The entry of the navigation that it belongs to; none before a sign-in. */
  section: Section | null
  load(): Promise<ScreenComponent>
}

/** Every screen and where it is; each comes from the server when it is first shown. */
export const screens: readonly Screen[] = [
  { pattern: '/', section: 'overview', load: async () => (await overview()).Overview },
  { pattern: '/apps', section: 'apps', load: async () => (await apps()).Apps },
  { pattern: '/apps/new', section: 'apps', load: async () => (await newApp()).NewApp },
  { pattern: '/apps/:id', section: 'apps', load: async () => (await app()).App },
  { pattern: '/apps/:id/:tab', section: 'apps', load: async () => (await app()).App },
  { pattern: '/apps/:id/:tab/:part', section: 'apps', load: async () => (await app()).App },
  {
    pattern: '/verifications',
    section: 'verifications',
    load: async () => (await verifications()).Verifications,
  },
  {
    pattern: '/verifications/:app/:mode/:id',
    section: 'verifications',
    load: async () => (await verification()).Verification,
  },
  { pattern: '/inbox', section: 'inbox', load: async () => (await inbox()).Inbox },
  { pattern: '/server', section: 'server', load: async () => (await server()).Server },
  { pattern: '/server/:tab', section: 'server', load: async () => (await server()).Server },
  { pattern: '/people', section: 'people', load: async () => (await people()).People },
  { pattern: '/me', section: 'me', load: async () => (await me()).Me },
  { pattern: '/sign-in', section: null, load: async () => (await signIn()).SignIn },
  { pattern: '/link/:token', section: null, load: async () => (await link()).Link },
]

/** The entries of the navigation, in order. */
export const sections: readonly { name: Section; path: string; icon: IconName; key: string }[] = [
  { name: 'overview', path: '/', icon: 'overview', key: 'o' },
  { name: 'apps', path: '/apps', icon: 'apps', key: 'a' },
  { name: 'verifications', path: '/verifications', icon: 'verifications', key: 'v' },
  { name: 'inbox', path: '/inbox', icon: 'inbox', key: 'i' },
  { name: 'server', path: '/server', icon: 'server', key: 's' },
  { name: 'people', path: '/people', icon: 'people', key: 'p' },
  { name: 'me', path: '/me', icon: 'me', key: 'm' },
]

/** The screen of a place, with the values in its path; null for none. */
export function screenAt({
  path,
}: Place): { screen: Screen; params: Record<string, string> } | null {
  for (const screen of screens) {
    const params = matched(screen.pattern, path)
    if (params) return { screen, params }
  }
  return null
}

const overview = () => import('./screens/overview.tsx')
const apps = () => import('./screens/apps.tsx')
const newApp = () => import('./screens/apps/new-app.tsx')
const app = () => import('./screens/apps/app.tsx')
const verifications = () => import('./screens/verifications.tsx')
const verification = () => import('./screens/verifications/verification.tsx')
const inbox = () => import('./screens/inbox.tsx')
const server = () => import('./screens/server.tsx')
const people = () => import('./screens/people.tsx')
const me = () => import('./screens/me.tsx')
const signIn = () => import('./screens/sign-in.tsx')
const link = () => import('./screens/link.tsx')
