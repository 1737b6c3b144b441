import { Problem } from '../domain/problem.ts'
import { problemReply } from './problems.ts'
import type { Context, Route } from './route.ts'

/** The answer where no route is: 405 with Allow on a path that has other methods, else 404. */
export function elsewhere(routes: Route[], error: unknown) {
  const isUnrouted = error instanceof Error && 'code' in error && error.code === 'NOT_FOUND'

  return {
    method: 'GET' as const,
    path: '(none)',
    async answer({ request, requestId }: Pick<Context, 'request' | 'requestId'>) {
      if (!isUnrouted) throw error
      const there = routes.filter(({ path }) => matches(path, pathOf(request.url)))
      if (there.length === 0) throw new Problem('not_found')

      const problem = new Problem('method_not_allowed')
      const reply = there[0]?.problemText?.(problem, null) ?? problemReply(problem, requestId)
      const methods = new Set<string>(there.map(({ method }) => method))
      if (methods.has('GET')) methods.add('HEAD')
      return { ...reply, headers: { ...reply.headers, allow: [...methods].sort().join(', ') } }
    },
  }
}

function pathOf(url: string): string {
  const path = URL.parse(url)?.pathname ?? '/'
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const parts = path.split('/')
  if (wanted.length !== parts.length) return false
  return wanted.every((part, index) => part.startsWith(':') || part === parts[index])
}
