import type { Environment, Settings } from '../../config/load.ts'
import { fileSecrets } from '../../config/options.ts'
import { alarmAdvice } from '../../domain/alarm.ts'
import type { Finding } from '../../domain/server.ts'
import { timestamp } from '../../present.ts'
import type { OpenPorts } from '../open.ts'
import { failed, ok, warning } from './finding.ts'

/** Variables that change the behaviour of the runtime in the executable. */
const hazards: Record<string, string> = {
  BUN_BE_BUN: 'it turns the executable into a general JavaScript runtime',
  BUN_OPTIONS: 'it can load other code into the process',
  BUN_INSPECT: 'it opens a debugger',
  BUN_INSPECT_NOTIFY: 'it opens a debugger',
  BUN_INSPECT_PRELOAD: 'it loads other code into the process',
  NAPI_RS_NATIVE_LIBRARY_PATH: 'it loads another native library',
  LD_PRELOAD: 'it loads other code into the process',
  NODE_TLS_REJECT_UNAUTHORIZED: 'it can switch off the check of certificates',
}

export function checkEnvironment(env: Environment): Finding[] {
  const found = Object.entries(hazards)
    .filter(([name]) => env[name] !== undefined)
    .map(([name, why]) => failed('environment', `${name} is set: ${why}`, `unset ${name}`))
  const inherited = ['OTPMINT_MASTER_KEY', ...fileSecrets]
    .filter((name) => env[name] !== undefined)
    .map((name) => {
      const detail = `${name} is in the environment, which child processes inherit`
      return warning('environment', detail, `use ${name}_FILE or a systemd credential`)
    })
  const all = [...found, ...inherited]
  return all.length > 0 ? all : [ok('environment', 'nothing in it changes how otpmint runs')]
}

export function checkExposure({ developerMode, openRegistration }: Settings): Finding[] {
  const findings: Finding[] = []
  if (developerMode) {
    const detail = 'developer mode is on: reasons of failures and test codes are shown'
    findings.push(warning('exposure', detail, 'unset OTPMINT_DEVELOPER_MODE in production'))
  }
  if (openRegistration) {
    const detail = 'registration is open: anybody who reaches the server may register an app'
    findings.push(warning('exposure', detail, 'unset OTPMINT_OPEN_REGISTRATION unless it is meant'))
  }
  return findings.length > 0
    ? findings
    : [ok('exposure', 'developer mode and open registration are off')]
}

/** Reports the source of the master key, which is the right one, because the keyset was opened. */
export function checkKey({ keyring, found }: OpenPorts): Finding {
  const detail = `key ${keyring.codeKeyId()} from ${sources[found.source]}`
  if (found.source !== 'data_dir') return ok('master key', `${detail}; not in backups: keep a copy`)
  const next = 'move it to a systemd credential or to another disk; keep a copy apart from backups'
  return warning('master key', `${detail}, beside what it protects`, next)
}

const sources = {
  credential: 'a credential',
  file: 'OTPMINT_MASTER_KEY_FILE',
  environment: 'OTPMINT_MASTER_KEY',
  data_dir: 'the data directory',
} as const

const alarmsShown = 20

export async function checkAlarms({ alarms }: OpenPorts): Promise<Finding[]> {
  const { items } = await alarms.list({ appId: null, open: true, limit: alarmsShown, cursor: null })
  return items.map(({ kind, appId, since }) => {
    const where = appId === null ? '' : ` (app ${appId})`
    const detail = `${kind}${where} since ${secondsOf(since)}`
    return warning('alarm', detail, alarmAdvice[kind])
  })
}

/** A time for a person, without milliseconds. */
function secondsOf(at: number): string {
  return timestamp(at).replace(/\.\d+Z$/, 'Z')
}
