import type { SQL } from 'bun'
import { isStatementMode, markName, type Target } from './connect.ts'
import { sqlState } from './failure.ts'

/**
 * What stands between a client and PostgreSQL. `session` is also said of a pooler that shared no
 * connection while it was watched.
 */
export type Pooling = 'none' | 'session' | 'transaction' | 'statement'

const watchesMax = 5

/**
 * Tells a pooler from PostgreSQL without asking it, which only its admin may. PostgreSQL keeps a
 * parameter of the connection that it does not know; a pooler refuses or drops it. In transaction mode
 * a second client gets the server's process that served the first one, though that is still connected.
 */
export async function poolingOf(target: Target): Promise<Pooling> {
  if (await isDirect(target)) return 'none'
  const clients = [target.connect(), target.connect()] as const
  try {
    for (let count = 0; count < watchesMax; count++) {
      if (await isShared(...clients)) return 'transaction'
    }
    return 'session'
  } catch (error) {
    if (isStatementMode(error)) return 'statement'
    throw error
  } finally {
    await Promise.all(clients.map((client) => client.close({ timeout: 0 }).catch(() => {})))
  }
}

/** True when the target is PostgreSQL itself. */
export async function isDirect(target: Target): Promise<boolean> {
  const client = target.connect({ mark: 'kept' })
  try {
    const [row] = await client.unsafe(`select current_setting('${markName}', true) as mark`)
    return row?.mark === 'kept'
  } catch (error) {
    if (sqlState(error) === '08P01') return false
    throw error
  } finally {
    await client.close({ timeout: 0 }).catch(() => {})
  }
}

async function isShared(first: SQL, second: SQL): Promise<boolean> {
  const process = 'select pg_backend_pid() as pid'
  const [before] = await first.unsafe(process)
  await second.unsafe('begin')
  try {
    const [meanwhile] = await second.unsafe(process)
    return before.pid === meanwhile.pid
  } finally {
    await second.unsafe('rollback')
  }
}
