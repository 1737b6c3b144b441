import { countrySlotMs } from '../../domain/delivery/spending.ts'
import type {
  AttemptCommand,
  AttemptResult,
  KeptRequest,
} from '../../domain/verification/stores.ts'
import type { Verification } from '../../domain/verification/verification.ts'
import { hex } from '../hex.ts'
import { toVerification, type VerificationRow, verificationColumns } from '../verification-row.ts'
import { createBatch } from './batch.ts'
import { bytea } from './bytea.ts'
import type { AddEvents, NewEvent } from './events.ts'
import { Unavailable } from './failure.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'
import type { Count } from './stats.ts'

type Deps = Parts & { addEvents: AddEvents }

/** The most checks of a statement, and the most statements at a time. */
const batchMax = 128
const atOnce = 2
/** A batch that takes longer, in ms, is held up by something. */
const aloneMs = 20
/** A part of the cost of a statement is the same for few checks as for many. */
const restMs = 2

/**
 * Judges the checks of a turn of the event loop in one statement. Those with an Idempotency-Key, and
 * those that webhooks are told of, take a transaction, which they share too.
 */
export function createChecks(deps: Deps): (command: AttemptCommand) => Promise<AttemptResult> {
  const { database, timers, counters } = deps
  const batch = {
    timers,
    keyOf: ({ id }: AttemptCommand) => id,
    max: batchMax,
    atOnce,
    aloneMs,
    restMs,
  }

  const judge = createBatch<AttemptCommand, Checked>({
    ...batch,
    run: async (commands) => {
      const rows = await database.write<Row>(checkMany, toValues(commands, counters.shard), 'check')
      return inOrder(commands, rows)
    },
  })
  const judgeAndTell = createBatch<AttemptCommand, Checked>({
    ...batch,
    run: (commands) =>
      database.transaction(async (session) => {
        const rows = await session.query<Row>(checkMany, toValues(commands, null))
        const all = inOrder(commands, rows)
        await conclude(session, deps, all.filter(isJudged))
        return all
      }, 'check'),
  })

  return async (command) => {
    if (command.idempotency) return toResult(await judgeAndTell(command))
    const checked = await judge(command)
    return toResult(checked.outcome === 'to_tell' ? await judgeAndTell(command) : checked)
  }
}

const checkMany = `
  select checked.number, outcome, kept_answer, kept_at, phone_country, phone_at, ${verificationColumns}
  from check_many__v($commands::jsonb, $shard, $countrySlotMs) as checked
    cross join lateral unnest(array[checked.verification])`

/** The columns of the verification are null where there is none. */
type Row = VerificationRow & {
  number: number
  outcome: AttemptResult['outcome'] | 'to_tell'
  keptAnswer: string | null
  keptAt: number | null
  phoneCountry: string | null
  phoneAt: number | null
}

type Checked = { command: AttemptCommand; verification: Verification | null } & Pick<
  Row,
  'outcome' | 'keptAnswer' | 'keptAt' | 'phoneCountry' | 'phoneAt'
>
type Judged = Checked & { verification: Verification }

function toValues(commands: AttemptCommand[], shard: number | null) {
  const rows = commands.map(({ digests, events, idempotency, ...command }, number) => ({
    number,
    ...command,
    ...events,
    digests: Object.fromEntries(digests.map(({ keyId, digest }) => [keyId, hex(digest)])),
    ...(idempotency && { ...keyOf(idempotency), since: idempotency.since }),
  }))
  return { commands: JSON.stringify(rows), shard, countrySlotMs }
}

/** The row of each command; throws where an answer is missing or of another verification. */
function inOrder(commands: AttemptCommand[], rows: Row[]): Checked[] {
  const byNumber = new Map(rows.map((row) => [row.number, row]))
  return commands.map((command, number) => {
    const row = byNumber.get(number)
    if (!row || rows.length !== commands.length) throw new Unavailable('a check was not answered')
    const { appId, id } = command
    if (row.id !== null && (row.id !== id || row.appId !== appId)) {
      throw new Unavailable('a check was answered with another verification')
    }
    return { ...row, command, verification: row.id === null ? null : toVerification(row) }
  })
}

function isJudged(checked: Checked): checked is Judged {
  return checked.outcome === 'judged'
}

function toResult({ outcome, verification, keptAnswer, keptAt }: Checked): AttemptResult {
  if (outcome === 'judged' && verification) return { outcome, verification }
  if (outcome === 'replayed' && keptAnswer !== null && keptAt !== null) {
    return { outcome, verification: JSON.parse(keptAnswer), at: keptAt }
  }
  if (outcome === 'key_reused' || outcome === 'app_changed') return { outcome }
  if (outcome === 'refused') return { outcome, verification }
  throw new Error(`a check has no such outcome: ${outcome}`)
}

/** Writes what `check_many` leaves to its caller: events, answers, and last what is counted. */
async function conclude(
  session: Session,
  { addEvents, counters }: Deps,
  judged: Judged[],
): Promise<void> {
  await addEvents(session, judged.filter(hasEnded).map(toEvent))
  await keepAnswers(session, judged)
  await countApprovals(session, judged)
  await counters.add(session, judged.flatMap(toCounts))
}

const isApproved = ({ verification: { status } }: Judged) => status === 'approved'

function hasEnded(judged: Judged): boolean {
  const { attemptsSpent, attemptsMax } = judged.verification
  return isApproved(judged) || attemptsSpent >= attemptsMax
}

function toEvent(judged: Judged): NewEvent {
  const { command, verification } = judged
  const { appId, id: verificationId, now: at, events } = command
  const type = isApproved(judged) ? events.approved : events.exhausted
  return { at, appId, type, verificationId, data: { attempts_spent: verification.attemptsSpent } }
}

function toCounts(judged: Judged): Count[] {
  const { appId, now: at } = judged.command
  const name = isApproved(judged) ? 'approvals' : 'failures'
  return [
    { appId, at, name: 'checks' },
    { appId, at, name },
  ]
}

async function keepAnswers(session: Session, judged: Judged[]): Promise<void> {
  const answers = judged.flatMap(({ command, verification }) => {
    const { idempotency, appId, now } = command
    if (!idempotency) return []
    return [{ ...keyOf(idempotency), appId, now, answer: JSON.stringify(verification) }]
  })
  if (answers.length === 0) return
  await session.run(
    `insert into answers (key, app_id, fingerprint, answer, kept_at)
    select key, "appId", fingerprint, answer, now from jsonb_to_recordset($answers::jsonb)
      as kept (key bytea, "appId" text, fingerprint bytea, answer text, now bigint)
    order by key
    on conflict (key) do update set app_id = excluded.app_id, fingerprint = excluded.fingerprint,
      answer = excluded.answer, kept_at = excluded.kept_at`,
    { answers: JSON.stringify(answers) },
  )
}

async function countApprovals(session: Session, judged: Judged[]): Promise<void> {
  const handed = judged
    .filter(isApproved)
    .flatMap(({ command: { appId }, phoneCountry: country, phoneAt: at }) =>
      country === null || at === null
        ? []
        : [{ appId, country, slot: Math.floor(at / countrySlotMs) }],
    )
  if (handed.length === 0) return
  await session.run(
    'select count_approvals__v($apps::text[], $countries::text[], $slots::bigint[])',
    {
      apps: handed.map(({ appId }) => appId),
      countries: handed.map(({ country }) => country),
      slots: handed.map(({ slot }) => slot),
    },
  )
}

function keyOf({ key, fingerprint }: KeptRequest) {
  return { key: bytea(key), fingerprint: bytea(fingerprint) }
}
