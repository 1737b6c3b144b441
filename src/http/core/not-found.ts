import { Problem } from '../../domain/problem.ts'
import type { Route } from './route.ts'

/** The methods that routes have for a path: with any it is 405, else 404. */
export function methodsOf(routes: Route[], url: string): string[] {
  const path = pathOf(url)
  const matching = routes.filter((route) => matches(route.path, path))
  // An exact path takes precedence over one with parameters.
  const exact = matching.filter((route) => route.path === path)
  const methods = new Set<string>((exact.length > 0 ? exact : matching).map(({ method }) => method))
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods].sort()
}

/** The refusal of a request that no route answers. */
export function unanswered(methods: string[]): Problem {
  return new Problem(methods.length > 0 ? 'method_not_allowed' : 'not_found')
}

/** Methods of routes with parameters that would wrongly answer for another route's exact path. */
export function shadowed(routes: Route[]): { method: Route['method']; path: string }[] {
  const exact = new Set(routes.map(({ path }) => path).filter((path) => !path.includes(':')))
  const isRouted = new Set(routes.map(({ method, path }) => `${method} ${path}`))
  return routes
    .filter(({ path }) => path.includes(':'))
    .flatMap(({ method, path: pattern }) =>
      [...exact]
        .filter((path) => matches(pattern, path) && !isRouted.has(`${method} ${path}`))
        .map((path) => ({ method, path })),
    )
}

export function pathOf(url: string): string {
  const path = URL.parse(url)?.pathname ?? '/'
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split('/')
  const parts = path.split('/')
  if (wanted.length !== parts.length) return false
  return wanted.every((part, index) => part.startsWith(':') || part === parts[index])
}
