/** Asks for counts until so many have come, or until none came for `patienceMs`; the last counts. */
export async function untilTaken<Counts>(
  counts: () => Promise<Counts>,
  of: (counts: Counts) => number,
  { wanted, patienceMs }: { wanted: number; patienceMs: number },
): Promise<Counts> {
  let last = await counts()
  let changedAt = performance.now()
  while (of(last) < wanted && performance.now() < changedAt + patienceMs) {
    await Bun.sleep(20)
    const now = await counts()
    if (of(now) > of(last)) changedAt = performance.now()
    last = now
  }
  return last
}
