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

/** The endpoints in the order of a choice; those that it does not know keep theirs, behind. */
export function inChosenOrder(endpoints: string[], chosen: Chosen | null): string[] {
  if (!chosen) return endpoints
  const place = (id: string) => {
    const index = chosen.options.findIndex(({ endpointId }) => endpointId === id)
    return index < 0 ? chosen.options.length : index
  }
  return endpoints.toSorted((a, b) => place(a) - place(b))
}

/** The choice for another message: what has been tried comes last. */
export function afterTried(chosen: Chosen, tried: ReadonlySet<string>): Chosen {
  const isTried = ({ endpointId }: Option) => tried.has(endpointId)
  const { options } = chosen
  const untried = options.filter((option) => !isTried(option))
  return { ...chosen, options: [...untried, ...options.filter(isTried)] }
}

/**
 * Why messages through this channel begin where they do, in one line for a person: `83 % approved here,
 * 71 % there`.
 */
export function explain({ options }: Chosen, channel: ChannelKind): string {
  const here = options.find((option) => option.channel === channel)
  const others = options.filter((option) => option !== here)
  if (!here || options.every(({ approvedPercent }) => approvedPercent === null)) {
    return 'by rank: nothing is known yet'
  }
  const known = here.approvedPercent === null ? shareOf(here) : `${shareOf(here)} approved`
  const there = others.length === 0 ? '' : `, ${others.map(shareOf).join(' and ')} there`
  // What a message costs is between the admin and the provider.
  const isWeighed = others.some(({ cost }) => cost !== null && cost !== here.cost)
  return `${known} here${there}${isWeighed ? ', weighed by cost' : ''}`
}

function shareOf({ approvedPercent }: Option): string {
  return approvedPercent === null ? 'nothing known' : `${approvedPercent} %`
}
