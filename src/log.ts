import type { Clock, Log, LogFields } from './domain/ports.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

// The allow-list at run time: other fields are dropped.
const fieldNames: Record<keyof LogFields, string> = {
  requestId: 'request_id',
  appId: 'app_id',
  keyId: 'key_id',
  endpointId: 'endpoint_id',
  webhookId: 'webhook_id',
  verificationId: 'verification_id',
  deliveryId: 'delivery_id',
  method: 'method',
  route: 'route',
  status: 'status',
  problem: 'problem',
  client: 'client',
  outcome: 'outcome',
  cause: 'cause',
  alarm: 'alarm',
  durationMs: 'duration_ms',
  count: 'count',
  url: 'url',
  path: 'path',
  version: 'version',
  detail: 'detail',
}

/** Writes one JSON object a line; control characters are escaped, so that no text forges a line. */
export function createLog(options: {
  level: LogLevel
  write(line: string): void
  clock: Clock
}): Log {
  const { level, write, clock } = options
  const from = logLevels.indexOf(level)

  const at =
    (name: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(name) < from) return
      const line: Record<string, unknown> = {
        level: name,
        time: new Date(clock.now()).toISOString(),
        event,
      }
      for (const [field, wireName] of Object.entries(fieldNames)) {
        const value = fields[field as keyof LogFields]
        if (value !== undefined) line[wireName] = value
      }
      write(`${JSON.stringify(line)}\n`)
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** A stream for a log: takes text, and calls back when it is written or has failed. */
export type LineStream = {
  write(text: string, done: (error?: Error | null) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

export type LineSink = {
  write(line: string): void
  /** The number of dropped lines. */
  lost(): number
}

/** How much text may wait for a slow reader, in characters. */
export const sinkMax = 1_048_576

/**
 * Writes lines to a stream that may be slow, full or closed. Never blocks, throws or exceeds its
 * buffer: lines without room, and lines that fail, are dropped and counted.
 */
export function createLineSink(stream: LineStream, max = sinkMax): LineSink {
  let waiting = 0
  let waitingLines = 0
  let lost = 0
  let isGone = false

  stream.on('error', (error) => {
    if ('code' in error && error.code === 'EPIPE') isGone = true
    // The stream drops all its waiting text, and fails at most one callback for it.
    lost += waitingLines
    waitingLines = 0
  })
  return {
    write(line) {
      if (isGone || waiting + line.length > max) {
        lost++
        return
      }
      waiting += line.length
      waitingLines++
      stream.write(line, (error) => {
        waiting -= line.length
        if (waitingLines > 0) waitingLines--
        if (error) lost++
      })
    },
    lost: () => lost,
  }
}
