import { dayMs } from '../../src/domain/verification/limits.ts'
import type { Ledger } from './ledger.ts'
import { adminToken } from './machine.ts'
import type { Answer, AppModel, Json, KeyModel, Question } from './model.ts'
import type { Rng } from './rng.ts'

export type Admin = {
  /** The requests that create the first apps. */
  first(): Question[]
  /** Finds the app that was registered by the original API, and creates keys for it. */
  adopt(ask: (question: Question) => Promise<Answer>): Promise<void>
  /** The admin's next request. */
  next(): Question | null
}

const from = '198.51.100.1'
/** The most apps at a time. */
const appsMax = 5

/** Creates, changes and deletes apps, endpoints and keys through the API. */
export function createAdmin(ledger: Ledger, rng: Rng): Admin {
  let serial = 0
  const headers = { authorization: `Bearer ${adminToken}` }
  const question = (method: string, path: string, rest: Partial<Question>): Question => {
    return { kind: 'admin', app: null, key: null, method, path, from, headers, ...rest }
  }
  const smtp = () => ({
    host: 'mail.example.com',
    port: 587,
    user: null,
    from: 'codes@example.com',
  })

  function newApp(): Question {
    const body = { name: `App ${++serial}`, email: smtp() }
    return question('POST', '/v1/apps', { body, onAnswer: (answer) => addApp(ledger, answer) })
  }

  /** Registers an app through the original API, which answers no id: `adopt` finds it. */
  function register(): Question {
    const secretKey = `secret key ${++serial}`
    const mail = { smtp_host: 'mail.example.com', smtp_port: 587, smtp_mail: 'codes@example.com' }
    const body = { secretKey, app_name: secretKey, ...mail, smtp_password: 'a password' }
    return question('POST', '/reg_secretkey', { body })
  }

  function policy(app: AppModel): Question {
    const change = rng.pick<Record<string, unknown>>([
      { attempts_max: rng.between(1, 5) },
      { ttl_seconds: rng.pick([30, 120, 600, 7200]) },
      { code_length: rng.between(6, 8) },
      { paused: true },
      { paused: null, on_budget_exhausted: null },
      { paused: null },
      { on_budget_exhausted: 'refuse' },
      { recipient_starts_per_day: rng.between(3, 20) },
      { starts_per_minute: rng.between(2, 30) },
      { check_delays: rng.pick([[0, 2, 5], [0, 0, 30], [1]]) },
      { check_delays: null },
    ])
    app.mayDelay ||= Boolean(change['check_delays'])
    app.mayPause ||= change['paused'] === true
    app.mayRefuse ||= change['on_budget_exhausted'] === 'refuse'
    const perDay = Number(change['recipient_starts_per_day'] ?? app.recipientDayMin)
    app.recipientDayMin = Math.min(app.recipientDayMin, perDay)
    const perMinute = Number(change['starts_per_minute'] ?? app.minuteMin)
    app.minuteMin = Math.min(app.minuteMin, perMinute)
    return question('PATCH', `/v1/apps/${app.id}`, { body: { policy: change } })
  }

  /** The endpoints of the other channels, which an app gets once. */
  function others(app: AppModel): Question[] {
    const path = `/v1/apps/${app.id}/endpoints`
    const secret = `whsec_${Buffer.from(rng.bytes(32)).toString('base64')}`
    const webhook = { url: 'https://gateway.example.com/otp', secret }
    const twilio = {
      account_sid: `AC${'0'.repeat(32)}`,
      auth_token: 'token',
      from: '+447400123450',
    }
    const made: boolean[] = []
    const onAnswer = ({ status }: Answer) => {
      made.push(status === 201)
      app.hasRoutes = made.filter(Boolean).length === 3
    }
    const policy = { phone_countries: ['GB'] }
    return [
      question('POST', path, { body: { channel: 'webhook', webhook }, onAnswer }),
      question('POST', path, { body: { channel: 'sms', twilio }, onAnswer }),
      question('PATCH', `/v1/apps/${app.id}`, {
        body: { policy },
        onAnswer: ({ status, ...rest }) =>
          onAnswer({ ...rest, status: status === 200 ? 201 : status }),
      }),
    ]
  }

  function endpoint(app: AppModel): Question {
    const path = `/v1/apps/${app.id}/endpoints`
    if (app.endpointIds.length < 2 || rng.chance(0.3)) {
      const body = { channel: 'email', email: smtp(), ...(rng.chance(0.5) && { rank: 1 }) }
      const onAnswer = ({ status, json }: Answer) => {
        if (status === 201) app.endpointIds.push(json.id)
      }
      return question('POST', path, { body, onAnswer })
    }
    const id = rng.pick(app.endpointIds)
    if (rng.chance(0.5)) {
      const body = rng.chance(0.5) ? { rank: 1 } : { email: { host: `m${++serial}.example.com` } }
      return question('PATCH', `${path}/${id}`, { body })
    }
    app.endpointIds = app.endpointIds.filter((other) => other !== id)
    return question('DELETE', `${path}/${id}`, {})
  }

  function key(app: AppModel): Question {
    const path = `/v1/apps/${app.id}/keys`
    const mode = rng.pick(['live', 'test'] as const)
    const good = app.keys.filter((each) => each.mode === mode && !each.isLeaving)
    const [first] = good
    if (good.length < 2 || !first) {
      const onAnswer = ({ status, json }: Answer) => {
        if (status === 201) app.keys.push(keyModel(json, json.key))
      }
      return question('POST', path, { body: { mode }, onAnswer })
    }
    first.isLeaving = true
    const onAnswer = ({ status, at }: Answer) => {
      if (status === 204 || status === 404) first.revokedAt ??= at
    }
    return question('DELETE', `${path}/${first.id}`, { onAnswer })
  }

  function remove(app: AppModel): Question {
    app.isLeaving = true
    const onAnswer = ({ status, at, elapsed }: Answer) => {
      if (status !== 204 && status !== 404) return
      app.goneAt ??= at
      app.goneElapsed = Math.min(app.goneElapsed, elapsed)
    }
    return question('DELETE', `/v1/apps/${app.id}`, { onAnswer })
  }

  return {
    first: () => [newApp(), newApp(), register()],
    async adopt(ask) {
      const { json } = await ask(question('GET', '/v1/apps?limit=50', {}))
      const items: Json[] = json.items
      const registered = items.find(({ name }) => name?.startsWith('secret key'))
      if (!registered) throw new Error('no app was registered')
      const app = appModel(registered, {})
      ledger.apps.push(app)
      for (const mode of ['live', 'test']) {
        const path = `/v1/apps/${app.id}/keys`
        const answer = await ask(question('POST', path, { body: { mode } }))
        app.keys.push(keyModel(answer.json, answer.json.key))
      }
      for (const each of ledger.apps) {
        for (const other of others(each)) await ask(other)
      }
      const [, delaying] = ledger.apps
      if (!delaying || rng.chance(0.4)) return
      delaying.mayDelay = true
      const body = { policy: { check_delays: [0, 2, 10] } }
      await ask(question('PATCH', `/v1/apps/${delaying.id}`, { body }))
    },
    next() {
      const living = ledger.apps.filter(({ goneAt }) => goneAt === null)
      const app = rng.pick(living)
      const deed = rng.weighted({ policy: 5, endpoint: 4, key: 3, app: 1, remove: 1, look: 1 })
      if (deed === 'policy') return policy(app)
      if (deed === 'endpoint') return endpoint(app)
      if (deed === 'key') return key(app)
      if (deed === 'app') return living.length < appsMax ? newApp() : null
      if (deed === 'remove') {
        // The first three apps are never deleted, so that there are always apps with traffic.
        const others = ledger.apps.slice(3).filter(({ isLeaving }) => !isLeaving)
        return others.length > 0 ? remove(rng.pick(others)) : null
      }
      return question('GET', rng.pick(lookedAt(ledger)), {})
    },
  }
}

function lookedAt({ time, apps }: Ledger): string[] {
  const now = time.clock.now()
  const range = `from=${new Date(now - dayMs).toISOString()}&to=${new Date(now).toISOString()}`
  return [
    '/v1/events?limit=50',
    '/v1/audit?limit=50',
    '/v1/alarms',
    '/v1/apps?limit=50',
    `/v1/stats?${range}`,
    ...apps.filter(({ goneAt }) => goneAt === null).map(({ id }) => `/v1/apps/${id}`),
  ]
}

function addApp(ledger: Ledger, { status, json }: Answer): void {
  if (status !== 201) return
  const texts: Record<string, string> = { live: json.live_key, test: json.test_key }
  ledger.apps.push(appModel(json, texts))
}

/** The model of an app, from an answer of the admin API. */
export function appModel(json: Json, keyTexts: Record<string, string>): AppModel {
  const keys: Json[] = json.keys ?? []
  const endpoints: Json[] = json.endpoints
  return {
    id: json.id,
    secretKey: json.name?.startsWith('secret key') ? json.name : null,
    keys: keys.map((key) => keyModel(key, keyTexts[key.mode] ?? '')),
    endpointIds: endpoints.map(({ id }) => id),
    hasRoutes: false,
    mayDelay: false,
    ...{
      isLeaving: false,
      goneAt: null,
      goneElapsed: Number.POSITIVE_INFINITY,
      mayPause: false,
      mayRefuse: false,
    },
    recipientDayMin: 20,
    minuteMin: 600,
  }
}

function keyModel(json: Json, text: string): KeyModel {
  return { id: json.id, text, mode: json.mode, isLeaving: false, revokedAt: null }
}
