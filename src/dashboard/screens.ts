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
  { pattern: '/apps', section: 'apps', load: async () => (await admin()).Apps },
  { pattern: '/apps/new', section: 'apps', load: async () => (await admin()).NewApp },
  { pattern: '/apps/:id', section: 'apps', load: async () => (await admin()).App },
  { pattern: '/apps/:id/:tab', section: 'apps', load: async () => (await admin()).App },
  { pattern: '/apps/:id/:tab/:part', section: 'apps', load: async () => (await admin()).App },
  {
    pattern: '/verifications',
    section: 'verifications',
    load: async () => (await admin()).Verifications,
  },
  {
    pattern: '/verifications/:app/:mode/:id',
    section: 'verifications',
    load: async () => (await admin()).Verification,
  },
  { pattern: '/inbox', section: 'inbox', load: async () => (await admin()).Inbox },
  { pattern: '/server', section: 'server', load: async () => (await admin()).Server },
  { pattern: '/server/:tab', section: 'server', load: async () => (await admin()).Server },
  { pattern: '/people', section: 'people', load: async () => (await access()).People },
  { pattern: '/me', section: 'me', load: async () => (await access()).Me },
  { pattern: '/sign-in', section: null, load: async () => (await access()).SignIn },
  { pattern: '/link/:token', section: null, load: async () => (await access()).Link },
]

/** The page `/dev/inbox` of developer mode. */
export const loadDevInbox = async (): Promise<ComponentType> => (await admin()).DevInbox

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

// Screens that share most of their code come together: each further file costs a header of its own.
const admin = async () => (await import('./screens/admin-screens.ts')).adminScreens
const access = async () => (await import('./screens/access/access-screens.ts')).accessScreens
const overview = () => import('./screens/overview.tsx')
