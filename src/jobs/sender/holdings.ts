import type { Item } from './lane.ts'

/** The deliveries that this node has in memory: by id, and by verification for a cancel. */
export type Holdings = {
  add(item: Item): void
  /** Does nothing where the delivery is held by another item by now. */
  remove(item: Item): void
  has(deliveryId: string): boolean
  of(verificationId: string): Item[]
  size(): number
}

export function createHoldings(): Holdings {
  const byId = new Map<string, Item>()
  const byVerification = new Map<string, Set<Item>>()

  const remove = (item: Item) => {
    const { id, verificationId } = item.delivery
    if (byId.get(id) === item) byId.delete(id)
    const siblings = byVerification.get(verificationId)
    siblings?.delete(item)
    if (siblings?.size === 0) byVerification.delete(verificationId)
  }
  return {
    add(item) {
      const { id, verificationId } = item.delivery
      const before = byId.get(id)
      if (before) remove(before)
      byId.set(id, item)
      const siblings = byVerification.get(verificationId)
      if (siblings) siblings.add(item)
      else byVerification.set(verificationId, new Set([item]))
    },
    remove,
    has: (deliveryId) => byId.has(deliveryId),
    of: (verificationId) => [...(byVerification.get(verificationId) ?? [])],
    size: () => byId.size,
  }
}
