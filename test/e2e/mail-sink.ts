import { SMTPServer } from 'smtp-server'
import { codeOf } from './client.ts'

export type SunkMail = { recipients: string[]; headerTo: string; code: string; raw: string }

export type MailSink = {
  port: number
  mails: SunkMail[]
  /** What went to one recipient, oldest first. */
  to(recipient: string): SunkMail[]
  close(): Promise<void>
}

/**
 * Takes any login. Keeps every mail as soon as all of it is here, and says so to the client only
 * after `delayMs`: who dies in between has sent a mail and does not know it. `refusal` has the
 * server's words.
 */
export async function mailSink(
  delayMs: () => number = () => 0,
  refusal: (mail: SunkMail) => string | null = () => null,
): Promise<MailSink> {
  const mails: SunkMail[] = []
  const byRecipient = new Map<string, SunkMail[]>()
  const server = new SMTPServer({
    authOptional: true,
    allowInsecureAuth: true,
    disabledCommands: ['STARTTLS'],
    onAuth: ({ username }, _session, done) => done(null, { user: username }),
    disableReverseLookup: true,
    closeTimeout: 10,
    onData(stream, { envelope }, done) {
      const chunks: Uint8Array[] = []
      stream.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      stream.on('end', () => {
        const raw = Buffer.concat(chunks).toString('latin1')
        const recipients = envelope.rcptTo.map(({ address }) => address)
        const headerTo = /^To: (.*)$/m.exec(raw)?.[1]?.trim() ?? ''
        const mail = { recipients, headerTo, code: codeOf(raw), raw }
        mails.push(mail)
        const key = recipients.join()
        byRecipient.set(key, [...(byRecipient.get(key) ?? []), mail])
        const words = refusal(mail)
        const error = words && Object.assign(new Error(words), { responseCode: 554 })
        setTimeout(() => done(error || null), delayMs())
      })
    },
  })
  // A client that is killed in the middle of a session is what the stories are about.
  server.on('error', () => {})
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: server.server.address().port,
    mails,
    to: (recipient) => byRecipient.get(recipient) ?? [],
    close: () => new Promise((done) => server.close(done)),
  }
}
