import type { Node } from './stores.ts'

/** A setting that nodes have differently; no values of a secret. */
export type DifferingSetting = { name: string; values: string[] }

/** Begins what a node tells of a secret: a keyed hash, by which it can be compared. */
export const hashMark = '#'

/**
 * The settings that not all of these nodes have alike. One that some nodes do not tell, because their
 * version does not know it, is compared between the others.
 */
export function differingSettings(nodes: Pick<Node, 'settings'>[]): DifferingSetting[] {
  const found = new Map<string, Set<string>>()
  for (const { settings = {} } of nodes) {
    for (const [name, value] of Object.entries(settings)) {
      found.set(name, (found.get(name) ?? new Set()).add(value))
    }
  }
  return [...found]
    .filter(([, values]) => values.size > 1)
    .map(([name, values]) => {
      const isSecret = [...values].some((value) => value.startsWith(hashMark))
      return { name, values: isSecret ? [] : [...values].sort() }
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1))
}
