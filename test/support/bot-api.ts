/**
 * A scripted server of the Bot API: its methods as documented, with long polling, webhooks and
 * errors, and persons who write to the bot.
 */
export type BotApi = {
  port: number
  token: string
  /** What the bot did, in order. */
  calls: BotCall[]
  /** The messages of one person, oldest first; an edit is a message too. */
  texts(chat: number): string[]
  /** The last message with buttons that a person got. */
  question(chat: number): Question | undefined
  /** The answers to the next calls of a method, instead of its own. */
  script(method: string, ...answers: Scripted[]): void
  /** Sends something from a person. */
  write(chat: number, text: string, change?: Record<string, unknown>): void
  press(chat: number, button: 'yes' | 'no'): void
  block(chat: number): void
  /** Queues any update; its id is given back. */
  update(content: Record<string, unknown>): number
  webhook(): { url: string; secret_token: string } | null
  /** Updates that are not confirmed. */
  pending(): number
  /** What the webhook answered, in order. */
  pushed: number[]
  stop(): Promise<void>
}

export type BotCall = { method: string; params: Record<string, unknown>; at: number }
type Question = { chat: number; message: number; yes: string; no: string; text: string }
type Scripted = { status: number; body?: unknown; afterMs?: number } | 'hang'
type Update = { update_id: number } & Record<string, unknown>

export const ada = 1001
export const bob = 1002

const longest = 25

type Options = {
  token?: string
  username?: string
  tls?: { cert: string; key: string }
  hostname?: string
  port?: number
  /** How the server reaches a webhook; `fetch` where it is absent. */
  push?: (url: string, secret: string, update: Update) => Promise<number>
}

export function botApi(options: Options = {}): BotApi {
  const { token = '7001:AAtokenOfTheBotOfTheTests_0123456789', username = 'acme_codes_bot' } =
    options
  const state = {
    updates: [] as Update[],
    nextUpdate: 900_001,
    nextMessage: 1,
    waiting: null as ((reason: 'update' | 'other' | 'webhook') => void) | null,
    webhook: null as { url: string; secret_token: string } | null,
    blocked: new Set<number>(),
    started: new Set<number>(),
    isStopped: false,
  }
  const calls: BotCall[] = []
  const scripted = new Map<string, Scripted[]>()
  const questions = new Map<number, Question>()
  const pushed: number[] = []
  const push = options.push ?? pushOver

  function update(content: Record<string, unknown>): number {
    const update_id = state.nextUpdate++
    state.updates.push({ update_id, ...content })
    state.waiting?.('update')
    void deliver()
    return update_id
  }

  let isPushing = false
  async function deliver(): Promise<void> {
    if (isPushing) return
    isPushing = true
    while (state.webhook && state.updates.length > 0 && !state.isStopped) {
      const [first] = state.updates
      const { url, secret_token } = state.webhook
      const status = first ? await push(url, secret_token, first).catch(() => 0) : 200
      pushed.push(status)
      if (status >= 200 && status < 300) state.updates.shift()
      else await Bun.sleep(100)
    }
    isPushing = false
  }

  async function getUpdates(params: Record<string, unknown>): Promise<Response> {
    if (state.webhook) {
      return conflict(
        "can't use getUpdates method while webhook is active; use deleteWebhook first",
      )
    }
    state.waiting?.('other')
    const { offset, timeout = 0, limit = 100 } = params as Record<string, number | undefined>
    if (offset !== undefined && offset < 0) state.updates = state.updates.slice(offset)
    else if (offset !== undefined) {
      state.updates = state.updates.filter(({ update_id }) => update_id >= offset)
    }
    if (state.updates.length === 0 && timeout > 0) {
      const reason = await new Promise<string>((resolve) => {
        const timer = setTimeout(() => resolve('time'), Math.min(timeout, longest) * 1000)
        state.waiting = (why) => {
          clearTimeout(timer)
          state.waiting = null
          resolve(why)
        }
      })
      if (reason === 'other') {
        return conflict(
          'terminated by other getUpdates request; make sure that only one is running',
        )
      }
      if (reason === 'webhook') return conflict('terminated by setWebhook request')
    }
    return ok(state.updates.slice(0, limit))
  }

  function sendMessage(params: Record<string, unknown>): Response {
    const chat = Number(params['chat_id'])
    if (state.blocked.has(chat)) return failure(403, 'Forbidden: bot was blocked by the user')
    if (!state.started.has(chat)) return failure(400, 'Bad Request: chat not found')
    const message = state.nextMessage++
    const markup = params['reply_markup'] as
      | { inline_keyboard: { callback_data: string }[][] }
      | undefined
    const [[yes, no] = []] = markup?.inline_keyboard ?? []
    if (yes && no) {
      const text = String(params['text'])
      questions.set(chat, { chat, message, yes: yes.callback_data, no: no.callback_data, text })
    }
    return ok({
      message_id: message,
      date: 1,
      chat: { id: chat, type: 'private' },
      text: params['text'],
    })
  }

  const methods: Record<string, (params: Record<string, unknown>) => Response | Promise<Response>> =
    {
      getMe: () =>
        ok({ id: Number(token.split(':')[0]), is_bot: true, first_name: 'Acme', username }),
      getUpdates,
      sendMessage,
      editMessageText: ({ chat_id, message_id, text }) =>
        ok({ message_id, chat: { id: chat_id, type: 'private' }, text }),
      answerCallbackQuery: () => ok(true),
      setWebhook(params) {
        state.webhook = params as typeof state.webhook
        state.waiting?.('webhook')
        void deliver()
        return ok(true)
      },
      deleteWebhook() {
        state.webhook = null
        return ok(true)
      },
      getWebhookInfo: () =>
        ok({
          url: state.webhook?.url ?? '',
          has_custom_certificate: false,
          pending_update_count: state.updates.length,
        }),
    }

  const server = Bun.serve({
    port: options.port ?? 0,
    hostname: options.hostname ?? '127.0.0.1',
    idleTimeout: 60,
    ...(options.tls && { tls: options.tls }),
    async fetch(request) {
      const [, given, method = ''] =
        /^\/bot([^/]+)\/(\w+)$/.exec(new URL(request.url).pathname) ?? []
      if (given !== token) return failure(401, 'Unauthorized')
      const answer = methods[method]
      if (!answer) return failure(404, 'Not Found')
      const params = (await request.json().catch(() => ({}))) as Record<string, unknown>
      calls.push({ method, params, at: performance.now() })
      const next = scripted.get(method)?.shift()
      if (next === 'hang') return new Promise<Response>(() => {})
      if (next) {
        if (next.afterMs) await Bun.sleep(next.afterMs)
        return Response.json(next.body ?? {}, { status: next.status })
      }
      return answer(params)
    },
  })

  const from = (chat: number) => ({
    ...{ id: chat, is_bot: false, language_code: chat === bob ? 'de' : 'en' },
    ...(chat === bob
      ? { first_name: 'Bob' }
      : {
          first_name: 'Ada',
          last_name: chat === ada ? 'Lovelace' : 'Featherstonehaugh',
          username: 'ada_l',
        }),
  })

  return {
    port: server.port ?? 0,
    ...{ token, calls, pushed, update },
    texts: (chat) =>
      calls
        .filter(({ method }) => method === 'sendMessage' || method === 'editMessageText')
        .filter(({ params }) => params['chat_id'] === chat)
        .map(({ params }) => String(params['text'])),
    question: (chat) => questions.get(chat),
    script: (method, ...answers) =>
      void scripted.set(method, [...(scripted.get(method) ?? []), ...answers]),
    write(chat, text, change = {}) {
      state.started.add(chat)
      const message_id = state.nextMessage++
      const message = { message_id, date: 1, from: from(chat), chat: { id: chat, type: 'private' } }
      update({ message: { ...message, text, ...change } })
    },
    press(chat, button) {
      const asked = questions.get(chat)
      if (!asked) throw new Error('no question was asked')
      const message = { message_id: asked.message, date: 1, chat: { id: chat, type: 'private' } }
      update({ callback_query: { id: `q${chat}`, from: from(chat), message, data: asked[button] } })
    },
    block(chat) {
      state.blocked.add(chat)
    },
    webhook: () => state.webhook,
    pending: () => state.updates.length,
    async stop() {
      state.isStopped = true
      state.waiting?.('update')
      await server.stop(true)
    },
  }
}

async function pushOver(url: string, secret: string, update: Update): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    'x-telegram-bot-api-secret-token': secret,
  }
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(update) })
  return answer.status
}

function ok(result: unknown): Response {
  return Response.json({ ok: true, result })
}

/** A documented error. */
export function failure(code: number, description: string, parameters?: object): Response {
  const body = { ok: false, error_code: code, description, ...(parameters && { parameters }) }
  return Response.json(body, { status: code })
}

function conflict(words: string): Response {
  return failure(409, `Conflict: ${words}`)
}
