import type { DeliveryOutcome } from '../../domain/delivery/delivery.ts'
import type { MailServer } from './mail-job.ts'
import { credentialForms, type Secrets, wordsOf } from './smtp-words.ts'
import { type Reply, replyTo, type Transcript } from './transcript.ts'

export type DialogueStep = {
  step:
    | ('resolve' | 'connect' | 'greeting' | 'tls' | 'offers' | 'token' | 'login')
    | ('sender' | 'recipient' | 'message')
  ok: boolean
  /** One sentence: what was found, and after a failure what to do next. */
  says: string
}

type Seen = { server: MailServer; transcript: Transcript; addresses: string[] }

const addressesShown = 4

/** The steps up to the login, as far as they were seen; an open app gets no words of the server. */
export function stepsSeen({ server, transcript, addresses }: Seen): DialogueStep[] {
  const { settings, registeredBy, credential } = server
  const { host, port, security, user } = settings
  const shown = addresses.slice(0, addressesShown).join(', ')
  const several = addresses.length > 1 ? 'addresses' : 'address'
  const has = shown === '' ? 'has an address' : `has the ${several} ${shown}`
  const where = registeredBy === 'open' ? host : (transcript.address ?? host)
  const steps: DialogueStep[] = [
    good('resolve', `${host} ${shown === host ? 'is an address' : has}.`),
    good('connect', `A mail server answers at ${where} port ${port}.`),
  ]
  const greeting = replyTo(transcript, 'greeting')
  const greets = greeting !== undefined && good('greeting', `It greets: ${clean(server, greeting)}`)
  const encrypted = encryption(server, transcript)
  const order = security === 'tls' ? [encrypted, greets] : [greets, encrypted]
  const offers = replyTo(transcript, 'EHLO')
  const offered = offers !== undefined && good('offers', offersOf(offers))
  for (const step of [...order, offered]) {
    // The words of a server in an internal network would tell an open app about it.
    const isTold = registeredBy === 'admin' || (step && step.step === 'tls')
    if (step && isTold) steps.push(step)
  }
  if (settings.auth !== 'password') steps.push(good('token', 'An access token was given.'))
  if (user !== null) {
    const last = transcript.replies.findLast(({ to }) => to.startsWith('AUTH'))
    const asked = credential === null ? ' was not tried' : ' was accepted'
    steps.push(good('login', last ? accepted(server, last) : `The login${asked}: none is offered.`))
  }
  return steps
}

function good(step: DialogueStep['step'], says: string): DialogueStep {
  return { step, ok: true, says }
}

function clean({ settings, credential }: MailServer, reply: string, secrets?: Secrets): string {
  return wordsOf(reply, secrets, credentialForms(settings.user, credential))
}

function accepted(server: MailServer, { to, reply }: Reply): string {
  const how = to === 'AUTH' ? '' : ` (${to.slice('AUTH '.length)})`
  const words = server.registeredBy === 'open' ? '' : ` It said: ${clean(server, reply)}`
  return `The login was accepted${how}.${words}`
}

function encryption({ settings, registeredBy }: MailServer, { tls }: Transcript) {
  const { host, security } = settings
  if (tls === null) {
    if (security !== 'opportunistic') return security !== 'none' && good('tls', plainTls(host))
    return good('tls', 'The connection is in plain text: no trusted STARTTLS is offered.')
  }
  if (registeredBy === 'open') return good('tls', plainTls(host))
  const { version, name, issuer, validTo } = tls
  const made = issuer && ` by ${oneLine(issuer)}`
  const until = Number.isNaN(Date.parse(validTo))
    ? ''
    : `, valid until ${new Date(validTo).toISOString().slice(0, 10)}`
  const certificate = `a certificate for ${oneLine(name) || host}${made}${until}`
  return good('tls', `The connection is encrypted (${version}), with ${certificate}.`)
}

function plainTls(host: string): string {
  return `The connection is encrypted, with a certificate for ${host}.`
}

function oneLine(text: string): string {
  return wordsOf(text).slice(0, 80)
}

const extensions = /^(SIZE(?: \d{1,12})?|8BITMIME|SMTPUTF8|DSN|PIPELINING|STARTTLS|REQUIRETLS)$/i
const mechanism = /^[A-Z0-9-]{1,20}$/i
const mechanismsMax = 10

/** The capabilities that matter, and the ways to log in. */
function offersOf(reply: string): string {
  const lines = reply.split(/\r?\n/).map((line) => line.slice('250-'.length).trim())
  const offered = lines.filter((line) => extensions.test(line)).map((line) => line.toUpperCase())
  const logins = lines
    .flatMap((line) => (/^AUTH[ =]/i.test(line) ? line.slice('AUTH '.length).split(/\s+/) : []))
    .filter((word) => mechanism.test(word))
  const named = [...new Set(logins)].slice(0, mechanismsMax).join(', ')
  const what = offered.length === 0 ? 'nothing that matters here' : offered.join(', ')
  return `It offers ${what}. ${named === '' ? 'It offers no login.' : `Logins: ${named}.`}`
}

const mailSteps = [
  ['MAIL', 'sender', 'The sender'],
  ['RCPT', 'recipient', 'The recipient'],
  ['DATA', 'message', 'The message'],
  ['message', 'message', 'The message'],
] as const

/** The steps of a mail; the last one failed unless the outcome is `sent`. */
export function mailStepsSeen(
  { server, transcript, secrets }: Omit<Seen, 'addresses'> & { secrets: Secrets },
  outcome: DeliveryOutcome,
): DialogueStep[] {
  const steps: DialogueStep[] = []
  for (const [command, step, what] of mailSteps) {
    const reply = replyTo(transcript, command)
    // 354 asks for the message.
    if (reply === undefined || reply.startsWith('354')) continue
    const words = server.registeredBy === 'open' ? '' : ` It said: ${clean(server, reply, secrets)}`
    const ok = reply.startsWith('2')
    const end = ok ? 'accepted' : reply.startsWith('4') ? 'put off' : 'refused'
    steps.push({ step, ok, says: `${what} was ${end}.${words}` })
    if (!ok) return steps
  }
  if (outcome.status === 'sent') return steps
  const step = (['sender', 'recipient', 'message'] as const)[steps.length] ?? 'message'
  return [...steps, { step, ok: false, says: sentence(outcome.detail) }]
}

export function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
}
