import type { Figure } from '../domain/figures/count.ts'
import type { Begun } from '../domain/figures/store.ts'
import type { Stop } from '../domain/verification/verification.ts'

/** A figure with its times and recipients as JSON. */
export type FigureRow = Omit<Figure, 'handOverTimes' | 'approvalTimes' | 'recipients'> & {
  handOverTimes: string
  approvalTimes: string
  recipients: string | null
}

export const figureColumns = `
  app_id as scope, span_ms as "spanMs", at, part, value, started, handed_over as "handedOver", approved, failed,
  hand_over_times as "handOverTimes", approval_times as "approvalTimes", recipients`

export function toFigure(row: FigureRow): Figure {
  return {
    ...row,
    handOverTimes: JSON.parse(row.handOverTimes),
    approvalTimes: JSON.parse(row.approvalTimes),
    recipients: row.recipients === null ? null : JSON.parse(row.recipients),
  }
}

export function toFigureRow(figure: Figure): FigureRow {
  return {
    ...figure,
    handOverTimes: JSON.stringify(figure.handOverTimes),
    approvalTimes: JSON.stringify(figure.approvalTimes),
    recipients: figure.recipients && JSON.stringify(figure.recipients),
  }
}

/** The columns of a verification as it is counted, besides the time of its first hand-over. */
export const begunColumns = [
  ['id', 'id'],
  ['app_id', 'appId'],
  ['mode', 'mode'],
  ['created_at', 'createdAt'],
  ['channel', 'channel'],
  ['recipient_masked', 'masked'],
  ['route', 'route'],
  ['locale', 'locale'],
  ['recipient_key', 'recipientKey'],
  ['status', 'status'],
  ['delivery_status', 'deliveryStatus'],
]
  .map(([column, name]) => `verifications.${column} as "${name}"`)
  .join(', ')

export type BegunRow = Omit<Begun, 'to'> & { masked: string; route: string | null }

/** With the channel that it began with: its own column has that of the latest message. */
export function toBegun({ masked, route, ...row }: BegunRow): Begun {
  const [first]: Stop[] = route === null ? [] : JSON.parse(route)
  return { ...row, channel: first?.channel ?? row.channel, to: first?.to ?? masked }
}
