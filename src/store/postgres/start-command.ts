import type { LimitRow } from '../../domain/verification/limits.ts'
import type { CodeVariant, StartCommand } from '../../domain/verification/stores.ts'
import { hex } from '../hex.ts'
import { asStarted, type Decided, firstDelivery, startedColumns } from '../started.ts'
import { bytea } from './bytea.ts'

/** The arguments of `start_many__v`, which functions/start.sql reads. */
export type StartCall = { commands: string; keys: Uint8Array[]; requests: string }

export function startCall(commands: StartCommand[]): StartCall {
  const rows = commands.flatMap(({ recipients, limits }) => [
    ...recipients.flatMap((recipient) => recipient.limits),
    ...limits,
  ])
  const keys = new Map(rows.map(({ key }) => [hex(key), key]))
  const sorted = [...keys].sort(([one], [other]) => (one < other ? -1 : 1))
  const places = new Map(sorted.map(([text], index) => [text, index + 1]))
  const placed = ({ key, rates }: LimitRow): Placed => ({ place: places.get(hex(key)) ?? 0, rates })
  return {
    commands: JSON.stringify(commands.map((command) => columnsOf(command, placed))),
    keys: sorted.map(([, key]) => key),
    requests: JSON.stringify(commands.flatMap(requestOf)),
  }
}

/** A row of limits by the place of its key, from 1 on. */
type Placed = { place: number; rates: LimitRow['rates'] }

function columnsOf(command: StartCommand, placed: (row: LimitRow) => Placed) {
  const { verification, recipients, variablesSealed, delivery, budgetEvent, short, long } = command
  return {
    ...verification,
    metadata: verification.metadata && JSON.stringify(verification.metadata),
    variablesSealed: variablesSealed && bytea(variablesSealed),
    recipients: recipients.map(({ index, masked, sealed, limits: [own] }, number) => {
      if (!own) throw new Error('a recipient has a row')
      const { place } = placed(own)
      return { number, place, index: bytea(index), masked, sealed: bytea(sealed) }
    }),
    parts: [...recipients, command].map(({ limits }) => limits.map(placed)),
    ways: Object.fromEntries(masksOf(command).map((mask) => [mask, wayOf(command, mask)])),
    short: codeColumns(short),
    long: long === null || long === 'ask' ? long : codeColumns(long),
    keptMs: command.recipientKeptMs,
    budget: command.budget,
    event: { type: budgetEvent.type, data: JSON.stringify(budgetEvent.data) },
    deliveryId: delivery.id,
    deliveryAt: delivery.createdAt,
  }
}

/**
 * A start with one recipient or several may go on with some of them. Each set of them is a bit mask by
 * their numbers; those that leave no channel are not among these.
 */
function masksOf(command: StartCommand): number[] {
  const all = 2 ** command.recipients.length
  const masks = Array.from({ length: all - 1 }, (_, index) => index + 1)
  return masks.filter((mask) => remaining(command, mask).route.length > 0)
}

/** The recipients of a mask, and their channels. */
export function remaining(
  { recipients, route }: Pick<StartCommand, 'recipients' | 'route'>,
  mask: number,
): Omit<Decided, 'code'> {
  const isIn = (number: number) => (mask & (1 << number)) !== 0
  const known = recipients.map(({ masked }, number) => ({ number, masked }))
  return {
    recipients: known.filter(({ number }) => isIn(number)),
    route: route.filter(({ recipient }) => isIn(recipient)),
  }
}

/** The columns that follow from who remains. */
function wayOf(command: StartCommand, mask: number) {
  const { recipients, route } = remaining(command, mask)
  const started = asStarted(command, { recipients, route, code: command.short })
  const { channel, endpointId, chosen, createdAt, lease } = firstDelivery(command, route)
  const columns = startedColumns(command, started, recipients)
  return {
    ...{ first: recipients[0]?.number, channel, endpointId: endpointId ?? '' },
    chosen: chosen ? JSON.stringify(chosen) : null,
    ...{ dueAt: lease?.until ?? createdAt, leasedBy: lease?.node ?? '' },
    ...{ route: columns.route, fallBackMs: columns.fallBackMs, checkDelays: columns.checkDelays },
    ...{ fallBackAt: started.fallBackAt, checkAt: started.checkAt },
  }
}

/** The Idempotency-Key of a command, with the answer for each way and code. */
function requestOf(command: StartCommand, index: number) {
  const { idempotency, verification, short, long } = command
  if (!idempotency) return []
  const answersOf = (mask: number) => {
    const answer = (code: CodeVariant) =>
      JSON.stringify(asStarted(command, { ...remaining(command, mask), code }))
    return { short: answer(short), long: long === null || long === 'ask' ? null : answer(long) }
  }
  return {
    number: index + 1,
    appId: verification.appId,
    key: bytea(idempotency.key),
    fingerprint: bytea(idempotency.fingerprint),
    since: idempotency.since,
    at: verification.createdAt,
    answers: Object.fromEntries(masksOf(command).map((mask) => [mask, answersOf(mask)])),
  }
}

function codeColumns({ digest, ...code }: CodeVariant) {
  return { ...code, digest: bytea(digest) }
}
