/** The candidate with the fewest edits from `word`, if they are few enough for a typing mistake. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: distance(word, candidate) }))
    .sort((a, b) => a.edits - b.edits)
  const [best] = ranked
  return best && best.edits <= Math.max(2, Math.floor(word.length / 5)) ? best.candidate : null
}

/** A long word that begins a candidate counts as one edit. */
function distance(word: string, candidate: string): number {
  const isCutShort = word.length > 10 && candidate.startsWith(word)
  return isCutShort ? 1 : levenshtein(word, candidate)
}

/** One row of the matrix at a time. */
function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (letter === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
