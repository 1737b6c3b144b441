import type { SQL } from 'bun'
import type { Lane } from '../../domain/delivery/handover.ts'
import { base62Digits } from '../../domain/id.ts'
import type { Random, Timers } from '../../domain/ports.ts'
import type { Database } from './database.ts'

/**
 * Tells other nodes of deliveries that wait for a node with room, by NOTIFY. Announcements may be lost;
 * what they tell is found by the next look at the outbox too.
 */
export type Wake = {
  announce(lane: Lane): void
  /** Calls `listener` with the lanes that other nodes announce. */
  listen(listener: (lane: Lane) => void): void
  /** Sends what waits, and ends the connection that listens. */
  close(): Promise<void>
}

type Options = {
  database: Pick<Database, 'run'>
  timers: Timers
  random: Random
  /** Makes a client with one connection past any pooler, which would drop what it is told. */
  connect(options: { onClose(): void }): SQL
}

const channel = 'otpmint_due'
/** The most lanes of one notification, whose payload may have 8000 bytes. */
const lanesAtOnce = 50
/** The least time between two notifications of this node, in ms: each makes commits wait. */
export const pauseMs = 50
/** The most lanes that wait for a notification. */
export const lanesMax = 1_000
/**
 * How often this node notifies itself, in ms. A connection that did not hear it is replaced: one that
 * was cut without a word stays open for hours.
 */
export const testEveryMs = 10_000
/** The wait after a connection was lost, in ms. */
const lostMs = 1_000
/** The longest time that beginning to listen may take, in ms. */
const listenMaxMs = 5_000

/** `from`: the process that announces, which need not hear it itself. */
type Payload = { from: string; lanes: [string, Lane['channel'], string | null][] }

type Notify = (lanes: Lane[]) => Promise<void>

export function createWake({ database, timers, random, connect }: Options): Wake {
  const from = [...random.bytes(8)].map((byte) => base62Digits(byte, 2)).join('')
  const listeners: ((lane: Lane) => void)[] = []

  const notify: Notify = async (lanes) => {
    const payload: Payload = {
      from,
      lanes: lanes.map(({ appId, channel, endpointId }) => [appId, channel, endpointId]),
    }
    const values = { channel, payload: JSON.stringify(payload) }
    // Where it cannot be sent, the next look finds them.
    await database.run('select pg_notify($channel, $payload)', values).catch(() => {})
  }
  const hear = (text: string) => {
    const { from: other, lanes } = JSON.parse(text) as Payload
    if (other === from) {
      ears.heard()
      return
    }
    for (const [appId, channel, endpointId] of lanes) {
      for (const listener of listeners) listener({ appId, channel, endpointId })
    }
  }
  const ears = createEars({ timers, connect, hear, test: () => notify([]) })
  const voice = createVoice({ timers, notify })
  return {
    announce: voice.announce,
    listen(listener) {
      listeners.push(listener)
      ears.open()
    },
    async close() {
      await Promise.all([voice.close(), ears.close()])
    },
  }
}

/** Gathers lanes, and sends as many at a time as fit into one notification. */
function createVoice({ timers, notify }: { timers: Timers; notify: Notify }) {
  const waiting = new Map<string, Lane>()
  let sending: Promise<void> | null = null
  let isClosed = false

  async function send(): Promise<void> {
    const lanes = [...waiting].slice(0, lanesAtOnce)
    for (const [key] of lanes) waiting.delete(key)
    await notify(lanes.map(([, lane]) => lane))
  }

  function sendSoon(): void {
    if (sending || isClosed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    sending = promise
    timers.soon(async () => {
      await send()
      resolve()
      timers.after(pauseMs, () => {
        sending = null
        if (waiting.size > 0) sendSoon()
      })
    })
  }

  return {
    announce(lane: Lane): void {
      if (waiting.size < lanesMax) waiting.set(JSON.stringify(lane), lane)
      sendSoon()
    },
    async close(): Promise<void> {
      isClosed = true
      await sending
      while (waiting.size > 0) await send()
    },
  }
}

type EarOptions = Pick<Options, 'timers' | 'connect'> & {
  hear(text: string): void
  /** Notifies this node itself. */
  test(): Promise<void>
}

/** Keeps a connection that listens, and replaces it when it has not heard the last test. */
function createEars({ timers, connect, hear, test }: EarOptions) {
  let sql: SQL | null = null
  let hasHeard = false
  let isClosed = false
  let testing: Promise<void> | null = null
  let cancelNext = () => {}

  function drop(): void {
    sql?.close({ timeout: 0 }).catch(() => {})
    sql = null
  }

  function next(ms: number): void {
    cancelNext()
    if (isClosed) return
    cancelNext = timers.after(ms, () => {
      testing = Promise.resolve(testing).then(keep)
    })
  }

  /** The driver would listen again by itself, with lines on stderr while it cannot. */
  function lose(lost: SQL): void {
    if (sql !== lost) return
    drop()
    next(lostMs)
  }

  async function begin(): Promise<void> {
    const opened: SQL = connect({ onClose: () => lose(opened) })
    sql = opened
    const begun = opened.listen(channel, hear)
    let cancelLate = () => {}
    const late = new Promise<never>((_, reject) => {
      cancelLate = timers.after(listenMaxMs, () => reject(new Error('too late')))
    })
    try {
      await Promise.race([begun, late])
    } catch {
      begun.catch(() => {})
      if (sql === opened) drop()
    } finally {
      cancelLate()
    }
  }

  async function keep(): Promise<void> {
    if (!hasHeard) drop()
    if (sql === null) await begin()
    hasHeard = false
    if (sql !== null) await test()
    next(sql === null ? lostMs : testEveryMs)
  }

  return {
    heard() {
      hasHeard = true
    },
    open() {
      testing ??= keep()
    },
    async close(): Promise<void> {
      isClosed = true
      cancelNext()
      await testing
      drop()
    },
  }
}
