import type { Log, Ports } from '../domain/ports.ts'
import { every, type Job } from './every.ts'

const sprayEveryMs = 10_000

/** Looks for spraying: many wrong codes over many recipients of one app. */
export function createSprayWatch({
  records,
  clock,
  log,
}: Pick<Ports, 'records' | 'clock'> & { log: Log }): Job {
  return every(sprayEveryMs, 'spray_watch', log, async () => {
    for (const { appId, alarmed } of await records.watchSpray({ now: clock.now() })) {
      if (alarmed) log.warn('spray_alarm', { appId })
      else log.info('spray_calm', { appId })
    }
  })
}

export type KeysState = { right: boolean }

/**
 * Takes up the keys that `otpmint key rotate` writes while this server runs. Without a key to them
 * the server is not ready any more: it would make codes that others cannot judge.
 */
export function createRotationWatch({
  follow,
  keys,
  log,
  intervalMs = 1_000,
}: {
  follow(): Promise<{ ok: true; changed: boolean } | { ok: false; mistake: string }>
  keys: KeysState
  log: Log
  intervalMs?: number
}): Job {
  return every(intervalMs, 'rotation_watch', log, async () => {
    const followed = await follow()
    if (followed.ok && followed.changed) log.info('keys_changed')
    if (!followed.ok && keys.right) log.error('keys_lost', { detail: followed.mistake })
    keys.right = followed.ok
  })
}
