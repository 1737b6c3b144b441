/** How many endpoints are tried at a time. */
export const triedAtOnce = 10

/** The results of `work` in the order of the items, with at most `most` of them under way. */
export async function mapAtOnce<Item, Result>(
  items: Item[],
  most: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await work(items[index] as Item)
    }
  }
  await Promise.all(Array.from({ length: most }, worker))
  return results
}
