import { SMTPServer } from 'smtp-server'
import { codeOf } from './client.ts'

export type SunkMail = { recipients: string[]; headerTo: string; code: string; raw: string }

export type MailSink = {
  port: number
  mails: SunkMail[]
  /** The mails to one recipient, oldest first. */
  to(recipient: string): SunkMail[]
  close(): Promise<void>
}

/**
 * Starts a mail server that accepts any login. It keeps each mail when it is complete and answers
 * after `delayMs`: a client that is killed in between has sent a mail without knowing. `refusal` is
 * the reply that it refuses mails with.
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
  // The tests kill clients in the middle of a session.
  server.on('error', () => {})
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: server.server.address().port,
    mails,
    to: (recipient) => byRecipient.get(recipient) ?? [],
    close: () => new Promise((done) => server.close(done)),
  }
}
