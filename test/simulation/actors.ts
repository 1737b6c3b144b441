import type { Mode } from '../../src/domain/verification/verification.ts'
import type { Ledger } from './ledger.ts'
import { unknownMailbox } from './mail-server.ts'
import type { AppModel, KeyModel, Question, Seen } from './model.ts'
import type { Rng } from './rng.ts'

export type Weights = Partial<Record<Deed, number>>

const deeds = [
  'start',
  'start_fresh',
  'start_routed',
  'repeat',
  'check_right',
  'check_wrong',
  'check_many',
  'check_garbage',
  'check_foreign',
  'resend',
  'cancel',
  'read',
  'list',
  'otp',
  'otp_again',
  'verify_right',
  'verify_wrong',
  'stranger',
] as const
export type Deed = (typeof deeds)[number]

export const usualWeights: Record<Deed, number> = {
  ...{
    start: 14,
    start_fresh: 8,
    start_routed: 12,
    repeat: 8,
    check_right: 8,
    check_wrong: 10,
    check_many: 3,
  },
  ...{ check_garbage: 2, check_foreign: 3, resend: 8, cancel: 3, read: 5, list: 2 },
  ...{ otp: 4, otp_again: 2, verify_right: 3, verify_wrong: 3, stranger: 2 },
}

export type Actors = {
  /** The next requests of the apps' back ends: one, or several at once. */
  next(weights: Weights): Question[]
}

const persons = ['ada', 'bob', 'cy', 'dora'].map((name) => `${name}@example.com`)
const phones = ['+447400123456', '+447400123457', '+447400123458']

/** Makes requests as the back ends of apps make them, by chance. */
export function createActors(ledger: Ledger, rng: Rng, isGuessing: boolean): Actors {
  let serial = 0

  /** Picks a verification: usually a recent pending one, sometimes any. */
  const recent = (filter: (seen: Seen) => boolean = () => true): Seen | null => {
    const known = [...ledger.seen.values()].filter((seen) => seen.start !== null && filter(seen))
    const living = known.filter((seen) => isLiving(seen, ledger.time.clock.now()))
    if (living.length > 0 && rng.chance(0.75)) return rng.pick(living.slice(-8))
    return known.length > 0 ? rng.pick(rng.chance(0.6) ? known.slice(-8) : known) : null
  }
  const appOf = (filter: (app: AppModel) => boolean = () => true): AppModel =>
    rng.pick(ledger.apps.filter((app) => filter(app) && (app.goneAt === null || rng.chance(0.1))))
  const keyOf = (app: AppModel, mode: Mode): KeyModel => {
    const ofMode = app.keys.filter((key) => key.mode === mode)
    const good = ofMode.filter((key) => !key.isLeaving)
    return rng.pick(good.length > 0 && rng.chance(0.95) ? good : ofMode)
  }
  const person = () => (isGuessing && rng.chance(0.9) ? 'ada@example.com' : rng.pick(persons))
  const from = () => `192.0.2.${rng.between(1, 60)}`
  const modeOf = (): Mode => (rng.chance(0.75) ? 'live' : 'test')
  const wait = () => (rng.chance(0.15) ? { prefer: `wait=${rng.between(1, 30)}` } : {})

  /** A number for an Idempotency-Key; sometimes one that was used before, also by another app. */
  const keyNumber = () => (serial > 0 && rng.chance(0.1) ? rng.between(1, serial) : ++serial)

  /** Channels in order, with a recipient for each, or one for all that take it. */
  function route(to: string): Pick<Question, 'route' | 'fallBackSeconds'> {
    const all = rng.pick([
      ['email', 'webhook', 'sms'],
      ['webhook', 'email', 'sms'],
      ['sms', 'email', 'webhook'],
      ['webhook', 'sms', 'email'],
    ])
    const chosen = all.slice(0, rng.pick([2, 2, 3]))
    const isOne = rng.chance(0.2) && !chosen.includes('sms')
    const other = rng.pick([...persons.filter((one) => one !== to), `gus${++serial}@example.net`])
    const addresses: Record<string, string> = {
      ...{ email: to, webhook: isOne ? to : other },
      sms: rng.pick(phones),
    }
    const fallBackSeconds = rng.pick([null, 5, 5, 20, 60])
    return {
      route: chosen.map((channel) => ({ channel, to: addresses[channel] ?? to })),
      fallBackSeconds,
    }
  }

  function start(to: string, isRouted = false): Question {
    const [first] = ledger.apps
    const mayUse = ({ hasRoutes }: AppModel) => !isRouted || hasRoutes
    const app = isGuessing && first && mayUse(first) && rng.chance(0.9) ? first : appOf(mayUse)
    const key = keyOf(app, modeOf())
    const routed = isRouted ? route(to) : {}
    const stops = routed.route
    const isOne = stops && new Set(stops.map((stop) => stop.to)).size === 1
    const body = {
      to: rng.chance(0.1) ? to.replace('@example', '@EXAMPLE') : to,
      ...(stops && {
        channel: stops.map(({ channel }) => channel),
        to: isOne ? to : Object.fromEntries(stops.map((stop) => [stop.channel, stop.to])),
        ...(routed.fallBackSeconds && { fallback_after_seconds: routed.fallBackSeconds }),
      }),
      ...(rng.chance(0.3) && { ttl_seconds: rng.pick([30, 60, 300, 3600, 86_400]) }),
      ...(rng.chance(0.1) && { code_length: rng.between(6, 10) }),
      ...(rng.chance(0.2) && { purpose: rng.pick(['sign-in', 'reset']) }),
    }
    const repeatKey = rng.chance(0.4) ? `start-${keyNumber()}` : null
    // A list then shows which verifications belong to one key, also when a start was not answered.
    const named = repeatKey === null ? body : { ...body, metadata: { repeat_key: repeatKey } }
    const place = { kind: 'start' as const, method: 'POST', path: '/v1/verifications' }
    const asked = { ...place, app, key, body: named, repeatKey, to, headers: wait(), from: from() }
    return { ...asked, ...routed }
  }

  function check(seen: Seen, code: string, kind: 'own' | 'foreign' = 'own'): Question {
    const foreign = rng.pick([
      [seen.app, seen.mode === 'live' ? 'test' : 'live'],
      [rng.pick(ledger.apps.filter((app) => app !== seen.app)), seen.mode],
    ] as [AppModel, Mode][])
    const [app, mode] = kind === 'own' ? ([seen.app, seen.mode] as const) : foreign
    const repeatKey = rng.chance(0.4) ? `check-${keyNumber()}` : null
    const place = { kind: 'check' as const, method: 'POST' }
    const path = `/v1/verifications/${seen.id}/check`
    const key = keyOf(app, mode)
    return { ...place, path, app, key, about: seen, body: { code }, code, repeatKey, from: from() }
  }

  /** Repeats an earlier request with its Idempotency-Key; sometimes with another body. */
  function repeat(): Question[] {
    const asked = ledger.asks.filter(({ repeatKey, app }) => repeatKey && app?.goneAt === null)
    if (asked.length === 0) return []
    const first = rng.pick(rng.chance(0.7) ? asked.slice(-6) : asked)
    const { kind, method, path, app, about, repeatKey, to, code, headers } = first
    const { route: stops, fallBackSeconds } = first
    const routed = stops ? { route: stops, fallBackSeconds } : {}
    const same = { kind, method, path, app, about, repeatKey, to, code, headers, ...routed }
    const key = app && first.key && keyOf(app, first.key.mode)
    const again = { ...same, key, body: first.body, from: from() } as Question
    const times = rng.chance(0.2) ? 3 : 1
    const all: Question[] = Array.from({ length: times }, () => again)
    if (rng.chance(0.15) && kind === 'start') {
      all.push({ ...again, body: { ...(first.body as object), purpose: 'another' } })
    }
    if (rng.chance(0.3) && kind === 'check' && about) {
      const other = wrongCode(rng, about)
      all.push({ ...again, body: { code: other }, code: other })
    }
    return all
  }

  function about(seen: Seen, kind: 'read' | 'cancel' | 'resend', isOwn: boolean): Question {
    const app = isOwn ? seen.app : rng.pick(ledger.apps)
    const key = keyOf(app, isOwn ? seen.mode : modeOf())
    const path = `/v1/verifications/${seen.id}${kind === 'read' ? '' : `/${kind}`}`
    const method = kind === 'read' ? 'GET' : 'POST'
    const common = { kind, method, path, app, key, about: seen, from: from() }
    if (kind === 'read') return common
    const stops: { channel: string }[] = seen.start?.answer?.json?.route ?? []
    const isMove = kind === 'resend' && isOwn && stops.length > 1 && rng.chance(0.6)
    const body = isMove ? { channel: rng.pick(stops).channel } : {}
    return { ...common, body, headers: kind === 'resend' ? wait() : {} }
  }

  function original(kind: 'otp' | 'otp_again'): Question[] {
    const app = appOf(({ secretKey }) => secretKey !== null)
    // An address from which its secretKey was accepted: failures of others do not limit it.
    const known = `203.0.113.${ledger.apps.indexOf(app) + 1}`
    const place = { method: 'POST', path: '/otp', key: null, from: known }
    const { secretKey } = app
    if (kind === 'otp') {
      // Each has its own mailbox, so that its mail is recognized without its id.
      const to = `${rng.chance(0.1) ? unknownMailbox : 'otp'}${++serial}@example.com`
      return [{ ...place, kind, app, body: { mail: to, secretKey }, to }]
    }
    const seen = recent(({ app: other, start: begun }) => other === app && begun?.kind === 'otp')
    if (!seen) return []
    const mail = seen.start?.to ?? ''
    const body = { mail, secretKey, shareableKey: seen.id }
    return [{ ...place, kind, app, about: seen, body }]
  }

  function verify(isRight: boolean): Question[] {
    const seen = recent(({ start: begun }) => begun?.kind === 'otp')
    if (!seen) return []
    const code = isRight ? seen.code : wrongCode(rng, seen)
    if (code === null) return []
    const place = { kind: 'verify' as const, method: 'POST', path: '/verify-otp', key: null }
    const body = { shareableKey: seen.id, otp: code }
    return [{ ...place, app: seen.app, about: seen, body, code, from: from() }]
  }

  /** A request without a valid key. */
  function stranger(): Question {
    const common = { kind: 'stranger' as const, app: null, key: null, from: from() }
    const post = { ...common, method: 'POST' }
    const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
    const v1Only = recent(({ start: begun, code }) => begun?.kind === 'start' && code !== null)
    return rng.pick<Question>([
      { ...common, method: 'GET', path: '/v1/verifications' },
      { ...common, method: 'GET', path: '/v1/apps', headers: bearer('otpm_admin_wrong') },
      { ...post, path: '/otp', body: { mail: 'ada@example.com', secretKey: 'no such key' } },
      {
        ...{ ...post, path: '/verify-otp' },
        body: { shareableKey: v1Only?.id ?? 'nothing', otp: v1Only?.code ?? '123456' },
      },
    ])
  }

  function concerning(weights: Deed, seen: Seen): Question[] {
    const wrong = () => wrongCode(rng, seen)
    if (weights === 'check_right') {
      const both = () => {
        const code = seen.code ?? ''
        return { ...check(seen, code), body: { code: spelled(rng, code) } }
      }
      return seen.code === null ? [] : rng.chance(0.15) ? [both(), both()] : [both()]
    }
    if (weights === 'check_wrong') return [check(seen, wrong())]
    if (weights === 'check_many') {
      const guesses = Array.from({ length: rng.between(2, 8) }, () => check(seen, wrong()))
      const isRightToo = seen.code !== null && rng.chance(0.3)
      return isRightToo ? [...guesses, check(seen, seen.code ?? '')] : guesses
    }
    if (weights === 'check_garbage') return [check(seen, rng.pick(['', 'abc', '12345', '1 2 3 4']))]
    if (weights === 'check_foreign') return [check(seen, seen.code ?? wrong(), 'foreign')]
    const isOwn = rng.chance(0.85)
    return [about(seen, weights as 'read' | 'cancel' | 'resend', isOwn)]
  }

  return {
    next(weights) {
      const deed = rng.weighted(weights)
      if (deed === 'start')
        return [start(rng.chance(0.05) ? `${unknownMailbox}@example.com` : person())]
      if (deed === 'start_fresh') return [start(`fresh${++serial}@example.org`)]
      if (deed === 'start_routed') {
        const to = rng.chance(0.5) ? person() : `fresh${++serial}@example.org`
        const isUnknown = rng.chance(0.1)
        return [start(isUnknown ? `${unknownMailbox}${serial}@example.org` : to, true)]
      }
      if (deed === 'repeat') return repeat()
      if (deed === 'otp' || deed === 'otp_again') return original(deed)
      if (deed === 'verify_right' || deed === 'verify_wrong') return verify(deed === 'verify_right')
      if (deed === 'stranger') return [stranger()]
      if (deed === 'list') {
        const app = appOf()
        const place = { kind: 'list' as const, method: 'GET', path: '/v1/verifications?limit=100' }
        return [{ ...place, app, key: keyOf(app, modeOf()), from: from() }]
      }
      // Often the same again, so that the number of resends is reached.
      const isAgain = deed === 'resend' && rng.chance(0.3)
      const seen = recent(({ start: begun, resends }) => {
        if (isAgain) return resends.size > 0
        return !deed.startsWith('check') || begun?.kind === 'start'
      })
      return seen ? concerning(deed, seen) : []
    },
  }
}

function isLiving({ begun, approvals, canceledAt }: Seen, now: number): boolean {
  return begun !== null && begun.expiresAt > now && approvals === 0 && canceledAt === null
}

/** A wrong code with the length and alphabet of the right one. */
function wrongCode(rng: Rng, { code, begun }: Seen): string {
  const length = begun?.codeLength ?? 6
  const alphabet = begun?.codeFormat === 'crockford' ? '0123456789ABCDEFGHJKMNPQ' : '0123456789'
  const text = Array.from({ length }, () => rng.pick([...alphabet])).join('')
  return text === code ? wrongCode(rng, { code, begun } as Seen) : text
}

/** The code, sometimes in small letters and with a space. */
function spelled(rng: Rng, code: string): string {
  return rng.chance(0.2) ? `${code.slice(0, 3)} ${code.slice(3)}`.toLowerCase() : code
}
