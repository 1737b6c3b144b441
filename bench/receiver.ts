import { untilTaken } from './patience.ts'

/**
 * A receiver of webhooks, or a gateway, that takes every message, verifies nothing, and keeps only ids
 * and counts. It runs in a separate process (`openReceiver`), so that it does not slow the bench.
 */
export type ReceiverCounts = {
  posts: number
  /** Different ids. */
  messages: number
  /** Epoch ms of the first and the last post. */
  firstAt: number
  lastAt: number
}

export type Receiver = {
  url: string
  /** `since` counts posts from this time on, in epoch ms. */
  counts(since?: number): Promise<ReceiverCounts>
  reset(): Promise<void>
  /** Waits for so many different messages, or until none came for a while. */
  taken(messages: number): Promise<ReceiverCounts>
  stop(): void
}

type ReceiverOptions = {
  /** Takes requests, and never answers. */
  hangs?: boolean
}

type Request = { ask: 'counts'; since: number } | { ask: 'reset' }

const patienceMs = 20_000

export async function openReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const waiting: ((answer: unknown) => void)[] = []
  const next = <Answer>() => new Promise<Answer>((done) => waiting.push(done as () => void))
  const command = [process.execPath, import.meta.path, JSON.stringify(options)]
  const child = Bun.spawn(command, {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: (answer) => waiting.shift()?.(answer),
  })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const ask = <Answer>(request: Request) => {
    child.send(request)
    return next<Answer>()
  }
  const counts = (since = 0) => ask<ReceiverCounts>({ ask: 'counts', since })
  return {
    url: await next<string>(),
    counts,
    reset: () => ask<void>({ ask: 'reset' }),
    taken: (messages) =>
      untilTaken(counts, (seen) => seen.messages, { wanted: messages, patienceMs }),
    stop() {
      process.off('exit', kill)
      kill()
    },
  }
}

if (import.meta.main) serve(JSON.parse(process.argv[2] ?? '{}') as ReceiverOptions)

function serve({ hangs = false }: ReceiverOptions): void {
  let ids = new Set<string>()
  let times: number[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 60,
    async fetch(request) {
      if (hangs) return new Promise<Response>(() => {})
      await request.arrayBuffer()
      ids.add(request.headers.get('webhook-id') ?? '')
      times.push(performance.timeOrigin + performance.now())
      return new Response(null, { status: 204 })
    },
  })
  process.on('message', (request: Request) => {
    if (request.ask === 'reset') {
      ids = new Set()
      times = []
      process.send?.('done')
      return
    }
    const some = times.filter((time) => time >= request.since)
    const [firstAt = 0, lastAt = 0] = [some[0], some.at(-1)]
    process.send?.({ posts: some.length, messages: ids.size, firstAt, lastAt })
  })
  process.send?.(server.url.href)
}
