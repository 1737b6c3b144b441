import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadSettings, type Settings } from '../../src/config/load.ts'
import { StartupError } from '../../src/startup-error.ts'

/** Makes temporary directories, settings that use them, and a function that removes them. */
export function scratch(name: string) {
  const root = mkdtempSync(join(tmpdir(), `otpmint-${name}-`))
  let count = 0
  const newPath = () => join(root, String(count++))
  const settings = (dataDir = newPath(), environment: Record<string, string> = {}): Settings =>
    loadSettings({
      OTPMINT_DATA_DIR: dataDir,
      OTPMINT_PORT: '0',
      OTPMINT_METRICS_LISTEN: 'off',
      OTPMINT_DASHBOARD_LISTEN: 'off',
      ...environment,
    })
  return { root, newPath, settings, remove: () => rmSync(root, { recursive: true, force: true }) }
}

/** The exit code and the reasons of a refusal. */
export async function refusal(work: () => unknown): Promise<{ exitCode: number; says: string }> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    return { exitCode: error.exitCode, says: error.reasons.join('; ') }
  }
  throw new Error('nothing was refused')
}

/** A log that keeps its events. */
export function eventLog() {
  const lines: { event: string; [field: string]: unknown }[] = []
  const write = (line: string) => void lines.push(JSON.parse(line))
  return { lines, write, events: () => lines.map(({ event }) => event) }
}
