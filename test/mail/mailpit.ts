import { join } from 'node:path'
import { eventually, scratch } from '../support/executable.ts'
import { goProgram } from '../support/go-program.ts'
import { freePort } from '../support/port.ts'

const version = 'v1.27.11'

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

/** Starts a Mailpit that takes any login in plain text, and whose replies can be chosen. */
export async function startMailpit(): Promise<Mailpit> {
  const program = await goProgram('github.com/axllent/mailpit', version)
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
