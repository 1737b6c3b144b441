import { join } from 'node:path'
import { storyVariables } from '../support/story-store.ts'
import { startPgBouncer } from './pgbouncer.ts'
import { startPostgres } from './server.ts'

/**
 * Stories of a data directory and of developer mode, which are about SQLite; those that move this
 * machine's clock, because the time is the database's; those that bring a server of their own; and
 * those that look at screens, which are the same. `first-admin` and `hosted-page` use them.
 */
const others =
  /^(clock|dashboard-.*|dev-inbox|disk|forgotten(-page)?|hosted-(looks|widget)|learned-route|litestream|move|operations|overview|pages|postgres-.*|start)\.test\.ts$/

// Runs the stories of test/e2e over PostgreSQL, by way of PgBouncer in transaction mode. Arguments
// are passed to `bun test`; among them may be files in place of all.
const root = join(import.meta.dir, '../..')
const all = [...new Bun.Glob('*.test.ts').scanSync(join(root, 'test/e2e'))]
  .filter((name) => !others.test(name))
  .map((name) => `./test/e2e/${name}`)
  .sort()
const [files, flags] = [
  Bun.argv.slice(2).filter((word) => word.endsWith('.test.ts')),
  Bun.argv.slice(2).filter((word) => !word.endsWith('.test.ts')),
]

const server = await startPostgres()
// Each story has a database, whose connections would be kept for ten minutes after its end.
const bouncer = await startPgBouncer(server.port, { settings: { server_idle_timeout: 10 } })
const stories = Bun.spawn(
  [process.execPath, 'test', ...flags, ...(files.length > 0 ? files : all)],
  {
    cwd: root,
    env: {
      ...process.env,
      [storyVariables.admin]: server.url('postgres'),
      [storyVariables.pooler]: String(bouncer.port),
      [storyVariables.log]: join(server.folder, 'postgres.log'),
    },
    stdio: ['ignore', 'inherit', 'inherit'],
  },
)
const code = await stories.exited
await bouncer.stop()
await server.stop()
process.exit(code)
