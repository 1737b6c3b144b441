import { Problem } from '../../domain/problem.ts'
import type { Route } from './route.ts'

/** The methods that routes have for a path: with any it is 405, else 404. */
export function methodsOf(routes: Route[], url: string): string[] {
  const path = pathOf(url)
  const matching = routes.filter((route) => matches(route.path, path))
  // A word of a path takes precedence over a parameter.
  const least = Math.min(...matching.map(parametersOf))
  const exact = matching.filter((route) => parametersOf(route) === least)
  const methods = new Set<string>(exact.map(({ method }) => method))
  if (methods.has('GET')) methods.add('HEAD')
  return [...methods].sort()
}

/** The refusal of a request that no route answers. */
export function unanswered(methods: string[]): Problem {
  return new Problem(methods.length > 0 ? 'method_not_allowed' : 'not_found')
}

/** Methods of routes that would wrongly answer for the path of another with fewer parameters. */
export function shadowed(routes: Route[]): { method: Route['method']; path: string }[] {
  const paths = new Map(routes.map((route) => [route.path, parametersOf(route)]))
  const isRouted = new Set(routes.map(({ method, path }) => `${method} ${path}`))
  return routes.flatMap((route) => {
    const { method, path: pattern } = route
    return [...paths]
      .filter(([path, count]) => count < parametersOf(route) && matches(pattern, path))
      .filter(([path]) => !isRouted.has(`${method} ${path}`))
      .map(([path]) => ({ method, path }))
  })
}

function parametersOf({ path }: Pick<Route, 'path'>): number {
  return path.split('/:').length - 1
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
