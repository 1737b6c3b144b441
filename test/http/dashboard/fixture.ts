import { acceptLink } from '../../../src/domain/account/accept.ts'
import { linkNewAccount, updateAccount } from '../../../src/domain/account/accounts.ts'
import { createDashboard } from '../../../src/http/dashboard/server.ts'
import type { DashboardSettings } from '../../../src/http/ports.ts'
import { type Answer, type CallOptions, read, type Site, site } from '../fixture.ts'

export const password = 'a quite long pass phrase'

/** A browser with its cookies, on the listener of the dashboard. */
export type Browser = {
  call(method: string, path: string, options?: Omit<CallOptions, 'token'>): Promise<Answer>
  /** The cookies that it sends, as one header. */
  cookies: Map<string, string>
}

export type Board = Site & {
  dashboard: ReturnType<typeof createDashboard>
  browser(from?: string): Browser
  /** The token of a link for a new account. */
  link(): Promise<string>
  /** A browser that has just signed in. */
  signedIn(role?: 'admin' | 'viewer', name?: string): Promise<Browser>
}

export const origin = 'http://127.0.0.1:5001'

/** The dashboard's listener on a world, beside the main server: real store, real keys, no socket. */
export async function board(settings: Partial<DashboardSettings> = {}): Promise<Board> {
  const base = await site()
  const ports = { ...base.ports, dashboard: { ...base.ports.dashboard, ...settings } }
  const peers = new WeakMap<Request, string | null>()
  const peerAddress = (request: Request) => peers.get(request) ?? null
  const dashboard = createDashboard({ ...ports, peerAddress })
  const cli = { who: 'cli', requestId: null }
  const link = async () => (await linkNewAccount(base, cli)).text

  function browser(address = '192.0.2.1'): Browser {
    const cookies = new Map<string, string>()
    async function call(method: string, path: string, given: CallOptions = {}): Promise<Answer> {
      const { body, raw, from = address } = given
      const text = raw ?? (body === undefined ? undefined : JSON.stringify(body))
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const headers = {
        host: '127.0.0.1:5001',
        'sec-fetch-site': 'same-origin',
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0',
        ...(text !== undefined && { 'content-type': 'application/json' }),
        ...(cookie && { cookie }),
        ...given.headers,
      }
      const named = Object.entries(headers).filter(([, value]) => value !== '')
      const request = new Request(`${origin}${path}`, {
        method,
        headers: Object.fromEntries(named),
        ...(text !== undefined && { body: text }),
      })
      peers.set(request, from)
      const answer = await read(await dashboard.handle(request))
      for (const set of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
        if (value === '') cookies.delete(name)
        else cookies.set(name, value)
      }
      return answer
    }
    return { call, cookies }
  }

  async function signedIn(role: 'admin' | 'viewer' = 'admin', name: string = role) {
    const made = browser()
    const body = { token: await link(), name, password }
    const { json, status } = await made.call('POST', '/session/accept', { body })
    if (status !== 201) throw new Error(`the link was not accepted: ${JSON.stringify(json)}`)
    if (role === 'viewer') {
      const stored = (await base.accounts.list()).find(({ id }) => id === json.account.id)
      if (!stored) throw new Error('no account')
      await inviteSpare(base)
      await updateAccount(base, cli, { id: stored.id, role })
    }
    return made
  }
  return { ...base, ports, dashboard, browser, link, signedIn }
}

/** Another admin, so that the first may become a viewer. */
async function inviteSpare(base: Site): Promise<void> {
  const all = await base.accounts.list()
  if (all.some(({ name }) => name === 'spare')) return
  const { text } = await linkNewAccount(base, { who: 'cli', requestId: null })
  const about = { client: '192.0.2.9', browser: 'test', requestId: 'test' }
  const { times } = base.ports.dashboard
  await acceptLink(base, times, { token: text, name: 'spare', password, ...about })
}
