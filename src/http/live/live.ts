import type { Log, Timers } from '../../domain/ports.ts'
import { nameOf, Problem } from '../../domain/problem.ts'
import { createState, type Live, type StatePorts } from './state.ts'

/** What happens now, to be followed by a few at a time. */
export type LiveStreams = {
  /** Server-sent events: a snapshot, then its parts that change. Throws `too_many_streams`. */
  open(): ReadableStream<Uint8Array>
  /** Ends every stream. */
  stop(): void
}

type LivePorts = StatePorts & { timers: Timers; log: Log }

export const streamsMax = 20
/** While somebody follows, the state is read so often. */
const everyMs = 2_000
/** A connection is never silent for longer: where nothing changes, a comment keeps it open. */
const silentMaxMs = 5_000
/** A stream ends after so long, so that who may not follow any more does not; browsers come again. */
const streamMaxMs = 300_000
const retryAfterSeconds = 10

/** What a client is still to be told. Parts are replaced by newer ones, so that it cannot grow. */
type Stream = {
  pending: Partial<Live>
  isFirst: boolean
  isQuiet: boolean
  isOver: boolean
  wake(): void
  endsAt: number
  commentAt: number
}

/** One reading of the state serves all that follow; while nobody does, nothing is read. */
export function createLive(ports: LivePorts): LiveStreams {
  const { timers, log } = ports
  const read = createState(ports)
  const streams = new Set<Stream>()
  let told: Live | null = null
  let cancelNext: (() => void) | null = null
  let isStopped = false

  async function tick(): Promise<void> {
    try {
      const state = await read()
      for (const stream of streams) tell(stream, told, state)
      told = state
    } catch (error) {
      log.warn('live_failed', { detail: nameOf(error) })
    }
    for (const stream of [...streams]) {
      const now = timers.monotonic()
      if (now >= stream.endsAt) end(stream)
      else if (now >= stream.commentAt) remind(stream)
    }
    cancelNext = streams.size > 0 ? timers.after(everyMs, () => void tick()) : null
    if (streams.size === 0) told = null
  }

  function end(stream: Stream): void {
    streams.delete(stream)
    stream.isOver = true
    stream.wake()
  }

  function remind(stream: Stream): void {
    stream.isQuiet = true
    stream.wake()
  }

  function open(): ReadableStream<Uint8Array> {
    if (isStopped) throw new Problem('shutting_down')
    if (streams.size >= streamsMax) throw new Problem('too_many_streams', { retryAfterSeconds })
    const now = timers.monotonic()
    const stream = newStream({ endsAt: now + streamMaxMs, commentAt: commentAfter(now) })
    streams.add(stream)
    if (told) tell(stream, null, told)
    cancelNext ??= timers.after(0, () => void tick())
    return new ReadableStream(
      {
        pull: async (controller) => {
          const text = await next(stream)
          stream.commentAt = commentAfter(timers.monotonic())
          if (text === null) controller.close()
          else controller.enqueue(new TextEncoder().encode(text))
        },
        cancel: () => end(stream),
      },
      { highWaterMark: 0 },
    )
  }

  return {
    open,
    stop() {
      isStopped = true
      cancelNext?.()
      for (const stream of [...streams]) end(stream)
    },
  }
}

/** From when on the next reading brings a comment, since the one after it would be too late. */
function commentAfter(now: number): number {
  return now + silentMaxMs - everyMs
}

function newStream(times: Pick<Stream, 'endsAt' | 'commentAt'>): Stream {
  return { pending: {}, isFirst: true, isQuiet: false, isOver: false, wake: () => {}, ...times }
}

/** Notes the parts that differ from what was told before. */
function tell(stream: Stream, before: Live | null, state: Live): void {
  for (const part of Object.keys(state) as (keyof Live)[]) {
    const isSame = before !== null && JSON.stringify(before[part]) === JSON.stringify(state[part])
    if (!isSame) Object.assign(stream.pending, { [part]: state[part] })
  }
  if (Object.keys(stream.pending).length > 0) stream.wake()
}

/** The next text for a client, as soon as there is something to tell; null at the end. */
async function next(stream: Stream): Promise<string | null> {
  for (;;) {
    if (stream.isOver) return null
    if (Object.keys(stream.pending).length > 0) {
      const event = stream.isFirst ? 'snapshot' : 'change'
      const data = JSON.stringify(stream.pending)
      Object.assign(stream, { pending: {}, isFirst: false, isQuiet: false })
      return `event: ${event}\ndata: ${data}\n\n`
    }
    if (stream.isQuiet) {
      stream.isQuiet = false
      return ': nothing has changed\n\n'
    }
    await new Promise<void>((resolve) => {
      stream.wake = resolve
    })
  }
}
