import type { Clock, Log, LogFields } from './domain/ports.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

// The allow-list at run time too: a field that is not named here is dropped, whatever its type.
const fieldNames: Record<keyof LogFields, string> = {
  requestId: 'request_id',
  appId: 'app_id',
  keyId: 'key_id',
  verificationId: 'verification_id',
  deliveryId: 'delivery_id',
  method: 'method',
  route: 'route',
  status: 'status',
  outcome: 'outcome',
  durationMs: 'duration_ms',
  count: 'count',
  url: 'url',
  path: 'path',
  version: 'version',
  detail: 'detail',
}

/** One JSON object a line; control characters are escaped, so nothing can forge a line. */
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
