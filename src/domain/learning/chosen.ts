import type { ChannelKind } from '../delivery/channel.ts'

/** Why a message goes through its endpoint; kept with the delivery. */
export type Chosen = {
  /** The group of the recipient, for each channel of the route. */
  groups: Partial<Record<ChannelKind, string>>
  /** In the order in which they are tried, with what was known of them then. */
  options: Option[]
}

export type Option = {
  channel: ChannelKind
  endpointId: string
  /** How many of its messages were followed by an approval; null where none was counted. */
  approvedPercent: number | null
  /** Of a message, in millionths; null where the admin gives none. */
  cost: number | null
}
