import { join } from 'node:path'

// A gateway of webhooks, in a process of its own: it verifies nothing, and counts by id.

export type Gateway = {
  url: string
  /** Waits until it has taken so many messages, or takes no more for five seconds. */
  taken(messages: number): Promise<{ messages: number; repeated: number }>
  stop(): void
}

type GatewayOptions = {
  /** Takes requests, and never answers. */
  hangs?: boolean
}

const patienceMs = 5_000

export async function openGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'gateway.ts'), JSON.stringify(options)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const { value } = await child.stdout.getReader().read()
  const url = `http://127.0.0.1:${Buffer.from(value ?? [])
    .toString()
    .trim()}`
  const counts = async () =>
    (await (await fetch(`${url}/counts`)).json()) as { messages: number; repeated: number }
  return {
    url: `${url}/messages`,
    async taken(messages) {
      let last = await counts()
      let changedAt = performance.now()
      while (last.messages < messages && performance.now() < changedAt + patienceMs) {
        await Bun.sleep(20)
        const now = await counts()
        if (now.messages > last.messages) changedAt = performance.now()
        last = now
      }
      return last
    },
    stop() {
      process.off('exit', kill)
      kill()
    },
  }
}

if (import.meta.main) serve(JSON.parse(process.argv[2] ?? '{}') as GatewayOptions)

function serve({ hangs = false }: GatewayOptions): void {
  const seen = new Set<string>()
  let repeated = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 60,
    async fetch(request) {
      if (request.url.endsWith('/counts')) return Response.json({ messages: seen.size, repeated })
      if (hangs) return new Promise<Response>(() => {})
      await request.arrayBuffer()
      const id = request.headers.get('webhook-id') ?? ''
      if (seen.has(id)) repeated++
      seen.add(id)
      return new Response(null, { status: 204 })
    },
  })
  process.stdout.write(`${server.port}\n`)
}
