import type {
  CodeVariant,
  NewDelivery,
  NewStop,
  StartCommand,
} from '../domain/verification/stores.ts'
import type { Verification } from '../domain/verification/verification.ts'

/** What a start was decided to be. */
export type Decided = {
  code: CodeVariant
  /** The recipients that remain, with their numbers. */
  recipients: { number: number; masked: string }[]
  /** The channels that remain. */
  route: NewStop[]
}

/** The verification as its row is inserted; to read it back would take a quarter of the insert's time. */
export function asStarted(
  { verification, fallBackMs, checkDelaysMs }: StartCommand,
  { code: { format, length, generation }, recipients, route }: Decided,
): Verification {
  const stops = route.map(({ channel, recipient }) => {
    const { masked = '' } = recipients.find(({ number }) => number === recipient) ?? {}
    return { channel, to: masked, recipient }
  })
  const [first] = stops
  if (!first) throw new Error('a start has a channel')
  const { createdAt } = verification
  const checkDelayMs = checkDelaysMs?.[0] ?? 0
  return {
    ...verification,
    channel: first.channel,
    to: first.to,
    route: stops,
    status: 'pending',
    forgotten: false,
    codeFormat: format,
    codeLength: length,
    generation,
    attemptsSpent: 0,
    resendsSpent: 0,
    fallBackAt: fallBackMs !== null && stops.length > 1 ? createdAt + fallBackMs : null,
    checkAt: checkDelayMs > 0 ? createdAt + checkDelayMs : null,
    checkedAt: [],
    delivery: { status: 'queued', detail: null },
  }
}

/** The columns of a new verification that are not stored as they are. */
export function startedColumns(
  { fallBackMs, checkDelaysMs }: StartCommand,
  started: Verification,
  [first]: Decided['recipients'],
) {
  const hasRoute = started.route.length > 1 || first?.number !== 0
  return {
    metadata: started.metadata && JSON.stringify(started.metadata),
    route: hasRoute ? JSON.stringify(started.route) : null,
    fallBackMs: started.fallBackAt === null ? null : fallBackMs,
    checkDelays: checkDelaysMs && JSON.stringify(checkDelaysMs),
  }
}

/** The first delivery; its lease is only for the first channel of all. */
export function firstDelivery(
  command: Pick<StartCommand, 'route' | 'delivery'>,
  [first]: NewStop[],
): NewDelivery {
  if (!first) throw new Error('a start has a channel')
  const { channel, endpointId, chosen = null } = first
  const lease = channel === command.route[0]?.channel ? command.delivery.lease : null
  return { ...command.delivery, channel, endpointId, chosen, lease }
}
