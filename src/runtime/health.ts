import { readFileSync } from 'node:fs'
import { raiseAlarm } from '../domain/alarm.ts'
import type { Log, Ports } from '../domain/ports.ts'
import type { Finding } from '../domain/server.ts'
import type { MaintenanceStore } from '../domain/stores.ts'
import type { KeysState } from '../jobs/watches.ts'
import { notOpened } from '../store/sqlite/inspect.ts'
import { systemClock } from '../system.ts'
import { version } from '../version.ts'
import { restoreIt } from './doctor/finding.ts'
import { startInspector } from './inspect-thread.ts'
import type { Presence } from './presence.ts'

export type Health = ReturnType<typeof createHealth>

type WatchedPorts = Pick<Ports, 'alarms' | 'clock' | 'timers'>

/** The least limit on open files that a busy server needs. */
const openFilesWanted = 1024
const damagePlace = { kind: 'database_damaged', appId: null, endpointId: null } as const
/** The check waits until the start is done, in ms. */
const checkAfterMs = 2_000

type HealthIo = { pid: number; lostLines?: (() => number) | undefined }

/** Tracks whether this process can serve, and its findings for `doctor`. */
export function createHealth({ log, io }: { log: Log; io: HealthIo }) {
  const keys: KeysState = { right: true }
  const state: State = {
    startedAt: systemClock.now(),
    openFiles: openFilesMax(),
    isDamaged: false,
    forwardedSeen: false,
  }
  let ports: WatchedPorts | null = null
  let cancelCheck = () => {}

  const tellAlarm = async () => {
    // A damaged database may refuse the alarm; the log and the gauge show it too.
    if (ports) await raiseAlarm({ ...ports, log }, damagePlace).catch(() => {})
  }
  const onDamage = () => {
    if (state.isDamaged) return
    state.isDamaged = true
    log.error('database_damaged', { detail: restoreIt })
    void tellAlarm()
  }
  if (hasFewFiles(state)) {
    const detail = `open files, connections included: raise LimitNOFILE= or ulimit -n`
    log.warn('few_open_files', { count: state.openFiles, detail })
  }

  return {
    keys,
    startedAt: state.startedAt,
    onDamage,
    isDamaged: () => state.isDamaged,
    /** Notes a request with X-Forwarded-For while no proxy is trusted. */
    seeForwarded: () => {
      state.forwardedSeen = true
    },
    /** Stores alarms from now on, and checks the whole file of the database once, if it is one. */
    begin(opened: WatchedPorts, database: string | null) {
      ports = opened
      if (state.isDamaged) void tellAlarm()
      if (database === null) return
      const { inspect, cancel } = startInspector()
      const failed = () => log.warn('database_check_failed')
      const cancelWait = opened.timers.after(checkAfterMs, () => {
        inspect(database).then((fault) => {
          if (fault === notOpened) failed()
          else if (fault !== null) onDamage()
        }, failed)
      })
      cancelCheck = () => {
        cancelWait()
        cancel()
      }
    },
    end: () => cancelCheck(),
    async ready(
      maintenance: Pick<MaintenanceStore, 'ready'>,
      presence: Pick<Presence, 'isReady'> | null,
    ): Promise<boolean> {
      if (!keys.right || state.isDamaged || presence?.isReady() === false) return false
      return maintenance.ready().then(
        () => true,
        () => false,
      )
    },
    findings: (url: string) => findingsOf({ ...state, url, io, isRightKey: keys.right }),
  }
}

type State = {
  startedAt: number
  openFiles: number | null
  isDamaged: boolean
  forwardedSeen: boolean
}

function hasFewFiles(state: State): state is State & { openFiles: number } {
  return state.openFiles !== null && state.openFiles < openFilesWanted
}

function findingsOf(state: State & { url: string; io: HealthIo; isRightKey: boolean }): Finding[] {
  const { startedAt, isDamaged, forwardedSeen, openFiles, url, io, isRightKey } = state
  const since = new Date(startedAt).toISOString()
  const about = `version ${version}, pid ${io.pid}, ${url}, since ${since}`
  const found: Finding[] = [{ check: 'server', status: 'ok', detail: about, next: null }]
  const add = (status: 'warning' | 'failed', check: string, detail: string, next: string) => {
    found.push({ check, status, detail, next })
  }
  if (isDamaged) add('failed', 'database', 'the running server found damage', restoreIt)
  if (!isRightKey) {
    const next = 'restart it with the new master key'
    add('failed', 'master key', 'the running server has no key to the changed keyset', next)
  }
  if (forwardedSeen) {
    const detail =
      'requests carry X-Forwarded-For and no proxy is trusted: all that come through one proxy ' +
      'count as one client'
    add('warning', 'proxies', detail, 'set OTPMINT_TRUSTED_PROXIES to the address of the proxy')
  }
  const lost = io.lostLines?.() ?? 0
  if (lost > 0) {
    const next = 'see what reads standard output, and whether its disk is full'
    add('warning', 'log', `${lost} lines were lost`, next)
  }
  if (hasFewFiles(state)) {
    add('warning', 'open files', `${openFiles} at most`, 'raise LimitNOFILE= or ulimit -n')
  }
  return found
}

/** The limit on open files of this process; null if unknown. */
function openFilesMax(): number | null {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
    return soft === undefined ? null : Number(soft)
  } catch {
    return null
  }
}
