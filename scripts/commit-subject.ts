const types = 'feat|fix|perf|refactor|test|docs|build|ci|chore|style|revert'
const form = new RegExp(`^(${types})(\\([a-z0-9,-]+\\))?!?: ([a-z]+)\\b.*[^.\\s]$`)
const told = /(ed|ing|[^su]s)$/
const commands = new Set(['need', 'feed', 'seed', 'embed', 'proceed', 'exceed', 'bring', 'ping'])

/** Tests for `type(scope): imperative`: "feat(keys): rotate while serving", not "rotated". */
export function isWellFormed(subject: string): boolean {
  const verb = form.exec(subject)?.[3]
  if (verb === undefined || subject.length > 100) return false
  return commands.has(verb) || !told.test(verb)
}
