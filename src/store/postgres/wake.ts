import type { SQL } from 'bun'
import type { Lane } from '../../domain/delivery/handover.ts'
import { base62Digits } from '../../domain/id.ts'
import type { Random, Timers } from '../../domain/ports.ts'
import type { WebhookPlace } from '../../domain/webhook/stores.ts'
import type { Database } from './database.ts'

/**
 * Tells other nodes what waits for one of them, by NOTIFY. Announcements may be lost; what they tell is
 * found by the next look into the store too.
 */
export type Wake = {
  /** Of deliveries that wait for a node with room. */
  lanes: Announcements<Lane>
  /** Of messages for the node that works on their webhook. */
  webhooks: Announcements<WebhookPlace>
  /** Sends what waits, and ends the connection that listens. */
  close(): Promise<void>
}

type Announcements<Place> = {
  announce(place: Place): void
  /** Calls `listener` with what other nodes announce. */
  listen(listener: (place: Place) => void): void
}

type Options = {
  database: Pick<Database, 'run'>
  timers: Timers
  random: Random
  /** Makes a client with one connection past any pooler, which would drop what it is told. */
  connect(options: { onClose(): void }): SQL
}

const channel = 'otpmint_due'
/** The most places of one notification, whose payload may have 8000 bytes. */
const placesAtOnce = 50
/** The least time between two notifications of this node, in ms: each makes commits wait. */
export const pauseMs = 50
/** The most places that wait for a notification. */
export const placesMax = 1_000
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
type Payload = {
  from: string
  lanes: [string, Lane['channel'], string | null][]
  webhooks: [string, string][]
}

type Places = { lanes: Lane[]; webhooks: WebhookPlace[] }
type Notify = (places: Places) => Promise<void>

export function createWake({ database, timers, random, connect }: Options): Wake {
  const from = [...random.bytes(8)].map((byte) => base62Digits(byte, 2)).join('')
  const laneListeners: ((lane: Lane) => void)[] = []
  const webhookListeners: ((place: WebhookPlace) => void)[] = []

  const notify: Notify = async ({ lanes, webhooks }) => {
    const payload: Payload = {
      from,
      lanes: lanes.map(({ appId, channel, endpointId }) => [appId, channel, endpointId]),
      webhooks: webhooks.map(({ appId, webhookId }) => [appId, webhookId]),
    }
    const values = { channel, payload: JSON.stringify(payload) }
    // Where it cannot be sent, the next look finds them.
    await database.run('select pg_notify($channel, $payload)', values).catch(() => {})
  }
  const hear = (text: string) => {
    const { from: other, lanes, webhooks } = JSON.parse(text) as Payload
    if (other === from) {
      ears.heard()
      return
    }
    for (const [appId, channel, endpointId] of lanes) {
      for (const listener of laneListeners) listener({ appId, channel, endpointId })
    }
    for (const [appId, webhookId] of webhooks) {
      for (const listener of webhookListeners) listener({ appId, webhookId })
    }
  }
  const ears = createEars({
    timers,
    connect,
    hear,
    test: () => notify({ lanes: [], webhooks: [] }),
  })
  const voice = createVoice({ timers, notify })
  return {
    lanes: {
      announce: (lane) => voice.announce({ lane }),
      listen(listener) {
        laneListeners.push(listener)
        ears.open()
      },
    },
    webhooks: {
      announce: (webhook) => voice.announce({ webhook }),
      listen(listener) {
        webhookListeners.push(listener)
        ears.open()
      },
    },
    async close() {
      await Promise.all([voice.close(), ears.close()])
    },
  }
}

type Place = { lane: Lane } | { webhook: WebhookPlace }

/** Gathers places, and sends as many at a time as fit into one notification. */
function createVoice({ timers, notify }: { timers: Timers; notify: Notify }) {
  const waiting = new Map<string, Place>()
  let sending: Promise<void> | null = null
  let isClosed = false

  async function send(): Promise<void> {
    const places = [...waiting].slice(0, placesAtOnce)
    for (const [key] of places) waiting.delete(key)
    await notify({
      lanes: places.flatMap(([, place]) => ('lane' in place ? [place.lane] : [])),
      webhooks: places.flatMap(([, place]) => ('webhook' in place ? [place.webhook] : [])),
    })
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
    announce(place: Place): void {
      if (waiting.size < placesMax) waiting.set(JSON.stringify(place), place)
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
