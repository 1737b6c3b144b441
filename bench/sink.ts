import { untilTaken } from './patience.ts'

/**
 * A mail server that accepts every mail and keeps only counts. It runs in a separate process
 * (`openSink`), so that it does not slow the bench.
 */
export type SinkOptions = {
  /** The delay of the reply to a mail, in ms; connections wait in parallel. */
  delayMs?: number
  /** Beyond so many connections the greeting is 421. */
  connectionsMax?: number
  pipelining?: boolean
  /** Accepts connections and sends nothing. */
  hangs?: boolean
}

/** Since the last reset. Times are epoch ms. */
export type SinkCounts = {
  mails: number
  firstAt: number
  lastAt: number
  /** Mails with a repeated Message-ID. */
  duplicates: number
  /** The most connections at a time, and how many were refused. */
  connectionsMost: number
  turnedAway: number
}

export type Sink = {
  port: number
  counts(): Promise<SinkCounts>
  reset(): Promise<void>
  /** Waits for so many mails, or until none came for a minute. */
  taken(mails: number): Promise<SinkCounts>
  stop(): void
}

type Request = 'counts' | 'reset'

const patienceMs = 60_000

/** Starts the server on a free port of loopback. */
export async function openSink(options: SinkOptions = {}): Promise<Sink> {
  const waiting: ((answer: unknown) => void)[] = []
  const next = <Answer>() => new Promise<Answer>((done) => waiting.push(done as () => void))
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(options)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: (answer) => waiting.shift()?.(answer),
  })
  const kill = () => child.kill('SIGKILL')
  process.on('exit', kill)
  const ask = <Answer>(request: Request) => {
    child.send(request)
    return next<Answer>()
  }
  const counts = () => ask<SinkCounts>('counts')
  return {
    port: await next<number>(),
    counts,
    reset: () => ask<void>('reset'),
    taken: (mails) => untilTaken(counts, (seen) => seen.mails, { wanted: mails, patienceMs }),
    stop() {
      process.off('exit', kill)
      kill()
    },
  }
}

if (import.meta.main) serve(JSON.parse(process.argv[2] ?? '{}') as SinkOptions)

type Connection = {
  /** The received text that is not parsed yet. */
  text: string
  inMessage: boolean
  /** A mail waits for its reply. */
  isHeld: boolean
  turnedAway: boolean
}

function serve(options: SinkOptions): void {
  const { delayMs = 0, connectionsMax = Infinity, pipelining = false, hangs = false } = options
  const tally = createTally()

  const read = (socket: Bun.Socket<Connection>) => {
    const { data: connection } = socket
    let replies = ''
    while (!connection.isHeld) {
      const line = connection.inMessage ? takeMessage(connection) : takeLine(connection)
      if (line === null) break
      if (connection.inMessage) {
        connection.inMessage = false
        if (delayMs === 0) replies += tally.take(line)
        else {
          connection.isHeld = true
          setTimeout(() => {
            connection.isHeld = false
            socket.write(tally.take(line))
            read(socket)
          }, delayMs)
        }
        continue
      }
      connection.inMessage = line.charCodeAt(0) === dataCommand
      replies += replyTo(line, pipelining)
    }
    if (replies !== '') socket.write(replies)
    if (replies.endsWith(goodbye)) socket.end()
  }

  const server = Bun.listen<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.setNoDelay(true)
        const turnedAway = tally.connections() >= connectionsMax
        socket.data = { text: '', inMessage: false, isHeld: false, turnedAway }
        if (turnedAway) {
          tally.counts.turnedAway++
          socket.end('421 4.7.0 sink.example too many connections\r\n')
          return
        }
        tally.connected(1)
        if (!hangs) socket.write('220 sink.example ESMTP\r\n')
      },
      data(socket, chunk) {
        if (hangs || socket.data.turnedAway) return
        socket.data.text += chunk.toString('latin1')
        read(socket)
      },
      close({ data }) {
        if (!data.turnedAway) tally.connected(-1)
      },
      error() {},
    },
  })
  process.on('message', (request: Request) => {
    if (request === 'reset') tally.reset()
    process.send?.(request === 'reset' ? 'done' : tally.counts)
  })
  process.send?.(server.port)
}

function createTally() {
  const none: SinkCounts = {
    mails: 0,
    firstAt: 0,
    lastAt: 0,
    duplicates: 0,
    connectionsMost: 0,
    turnedAway: 0,
  }
  const counts = { ...none }
  const seen = new Set<string>()
  let connections = 0
  return {
    counts,
    connections: () => connections,
    connected(change: 1 | -1) {
      connections += change
      counts.connectionsMost = Math.max(counts.connectionsMost, connections)
    },
    reset() {
      Object.assign(counts, none, { connectionsMost: connections })
      seen.clear()
    },
    /** Counts a mail; returns the reply. */
    take(message: string): string {
      const id = messageId(message)
      if (seen.has(id)) counts.duplicates++
      seen.add(id)
      counts.lastAt = performance.timeOrigin + performance.now()
      if (counts.mails++ === 0) counts.firstAt = counts.lastAt
      return `250 2.0.0 Ok: queued as ${counts.mails}\r\n`
    },
  }
}

const endOfMessage = '\r\n.\r\n'

function takeMessage(connection: Connection): string | null {
  return take(connection, endOfMessage)
}

function takeLine(connection: Connection): string | null {
  return take(connection, '\r\n')
}

function take(connection: Connection, end: string): string | null {
  const at = connection.text.indexOf(end)
  if (at < 0) return null
  const taken = connection.text.slice(0, at)
  connection.text = connection.text.slice(at + end.length)
  return taken
}

function messageId(message: string): string {
  const from = message.indexOf('Message-ID: <')
  return message.slice(from, message.indexOf('>', from))
}

const dataCommand = 'D'.charCodeAt(0)
const goodbye = '221 2.0.0 Bye\r\n'

/** Answers by the first letter: EHLO, DATA, QUIT; MAIL, RCPT, RSET and NOOP are treated alike. */
function replyTo(line: string, pipelining: boolean): string {
  if (line.startsWith('E')) {
    const offer = pipelining ? '250-PIPELINING\r\n' : ''
    return `250-sink.example\r\n${offer}250 8BITMIME\r\n`
  }
  if (line.startsWith('D')) return '354 End data with a dot\r\n'
  if (line.startsWith('Q')) return goodbye
  return '250 2.0.0 Ok\r\n'
}
