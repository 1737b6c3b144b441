/** `otpmint serve` with a commit for every write, to measure the effect of group commit. */
import '../src/production.ts'
import { loadSettings } from '../src/config/load.ts'
import { startRuntime } from '../src/runtime.ts'
import { openSqliteStore } from '../src/store/sqlite/store.ts'

process.umask(0o077)
const io = {
  write: (line: string) => void process.stdout.write(line),
  tell: null,
  pid: process.pid,
}
const running = await startRuntime(loadSettings(process.env), io, (options) =>
  openSqliteStore({ ...options, grouped: false }),
)

process.on('SIGTERM', () => void running.stop().then(() => process.exit(0)))
