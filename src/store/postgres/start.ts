import type { LimitName } from '../../domain/verification/limits.ts'
import type {
  StartCommand,
  StartResult,
  VerificationStore,
} from '../../domain/verification/stores.ts'
import { toldAs } from '../../domain/webhook/webhook.ts'
import { hex } from '../hex.ts'
import { asStarted } from '../started.ts'
import { createBatch } from './batch.ts'
import { Unavailable } from './failure.ts'
import type { Parts } from './parts.ts'
import { remaining, startCall } from './start-command.ts'

/** The most starts of a call, and the most calls at a time. */
const batchMax = 64
const batchesAtOnce = 2

/** All starts of a turn of the event loop are one call of a function, which decides and writes. */
export function createStart(deps: Parts): VerificationStore['start'] {
  const { database, timers, counters } = deps

  async function startAll(commands: StartCommand[]): Promise<StartResult[]> {
    if (commands.some(({ budgetEvent }) => toldAs[budgetEvent.type] !== null)) {
      throw new Error('the function of starts writes an event that webhooks are told of')
    }
    const rows = await database.write<Row>(startMany, {
      ...startCall(commands),
      shard: counters.shard,
    })
    return commands.map((command, index) => {
      const row = rows[index]
      if (row?.number !== index + 1 || row.startedId !== command.verification.id) {
        throw new Unavailable('the answer to a start is another one’s')
      }
      return resultOf(command, row)
    })
  }

  return createBatch({ timers, keyOf: keysOf, max: batchMax, atOnce: batchesAtOnce, run: startAll })
}

const startMany = `
  select number, started_id, outcome, limit_name, retry_at, recipient_mask, is_long, answer
  from start_many__v($commands::jsonb, $keys::bytea[], $requests::jsonb, $shard)
  order by number`

/** What no two commands of a call may share. */
function keysOf({ recipients, idempotency }: StartCommand): string[] {
  const rows = recipients.flatMap(({ limits }) => limits.map(({ key }) => hex(key)))
  return idempotency ? [...rows, hex(idempotency.key)] : rows
}

function resultOf(command: StartCommand, row: Row): StartResult {
  const { outcome, limitName, retryAt } = row
  if (outcome === 'replayed') {
    return { outcome, verification: JSON.parse(row.answer ?? '') }
  }
  if (outcome === 'limited' && limitName && retryAt) return { outcome, limit: limitName, retryAt }
  if (outcome === 'limited') throw new Error('a limit has no name')
  if (outcome !== 'started') return { outcome }
  const code = row.isLong ? command.long : command.short
  if (code === null || code === 'ask') throw new Error('a start has a code')
  const decided = { ...remaining(command, row.recipientMask ?? 0), code }
  return { outcome, verification: asStarted(command, decided) }
}

type Row = {
  number: number
  startedId: string
  outcome: StartResult['outcome']
  limitName: LimitName | null
  retryAt: number | null
  recipientMask: number | null
  isLong: boolean
  answer: string | null
}
