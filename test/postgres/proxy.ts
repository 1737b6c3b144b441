import { connect, createServer, type Socket } from 'node:net'

/** A way to a server on loopback that the test disturbs. */
export type Disturbed = {
  port: number
  /**
   * Passes the next message of a client that contains the text, waits for the server's answer, and
   * cuts the connection instead of passing it. Resolves once it is cut.
   */
  cutAnswerTo(text: string): Promise<void>
  /** Connects later clients to another server. */
  lead(port: number): void
  /** Cuts every connection. */
  cut(): void
  /** Passes nothing any more, in both directions, and refuses nobody: packets are lost. */
  block(): void
  /** Passes what has arrived since, and everything after it. */
  unblock(): void
  close(): Promise<void>
}

type Pair = { client: Socket; server: Socket }

export async function proxyTo(first: number): Promise<Disturbed> {
  let target = first
  const pairs = new Set<Pair>()
  let trap: { text: string; sprung(): void } | null = null
  let isBlocked = false

  const end = (pair: Pair) => {
    pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
  const hold = ({ client, server }: Pair) => {
    client.pause()
    server.pause()
  }
  const listener = createServer((client) => {
    const server = connect({ port: target, host: '127.0.0.1', noDelay: true })
    const pair = { client, server }
    let cut: (() => void) | null = null
    pairs.add(pair)
    client.on('data', (data) => {
      if (trap && data.includes(trap.text)) {
        cut = trap.sprung
        trap = null
      }
      server.write(data)
    })
    server.on('data', (data) => {
      if (!cut) return void client.write(data)
      end(pair)
      cut()
    })
    for (const socket of [client, server]) {
      socket.on('error', () => end(pair))
      socket.on('close', () => end(pair))
    }
    if (isBlocked) hold(pair)
  })
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done))
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    cutAnswerTo: (text) => new Promise((sprung) => (trap = { text, sprung })),
    lead(port) {
      target = port
    },
    cut: () => [...pairs].forEach(end),
    block() {
      isBlocked = true
      for (const pair of pairs) hold(pair)
    },
    unblock() {
      isBlocked = false
      for (const { client, server } of pairs) {
        client.resume()
        server.resume()
      }
    },
    close() {
      ;[...pairs].forEach(end)
      return new Promise((done) => listener.close(() => done()))
    },
  }
}
