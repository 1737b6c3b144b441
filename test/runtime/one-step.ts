import { loadSettings } from '../../src/config/load.ts'
import { backUp, restore } from '../../src/runtime/backup.ts'
import { rotateKey } from '../../src/runtime/keys.ts'
import { openPorts } from '../../src/runtime/open.ts'
import { startRuntime } from '../../src/runtime.ts'

// Runs one step in a separate process, which killed-at.ts kills in the middle.
const [step = '', dataDir = '', file = ''] = process.argv.slice(2)
const settings = loadSettings({
  OTPMINT_DATA_DIR: dataDir,
  OTPMINT_PORT: '0',
  OTPMINT_METRICS_LISTEN: 'off',
  OTPMINT_DASHBOARD_LISTEN: 'off',
})

const steps: Record<string, () => Promise<unknown>> = {
  async start() {
    const server = await startRuntime(settings, { write: () => {}, tell: null, pid: process.pid })
    await server.stop()
  },
  rotate: () => rotateKey(settings, { newKeyFile: null, onProgress: () => {} }),
  async backup() {
    const { ports, close } = await openPorts(settings)
    await backUp(ports, file)
    await close()
  },
  restore: () => restore(settings, { file, force: true, pid: process.pid }),
}
await steps[step]?.()
process.exit(0)
