import type { Static, TSchema } from 'elysia'
import type { Actor } from '../domain/manage-apps.ts'
import { type FieldError, Problem, type ProblemCode } from '../domain/problem.ts'
import type { Caller, Guard } from './authenticate.ts'
import { readJson } from './body.ts'
import type { Reply } from './reply.ts'
import { createChecker, unknownFields } from './schema.ts'

/** A route as it is served and as it is described; the controllers are tables of these. */
export type Route = RouteDoc & {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  auth: 'app' | 'operator' | 'open'
  body?: TSchema | undefined
  query?: TSchema | undefined
  /** The original API says its problems in plain text. */
  problemText?: ((problem: Problem, developerDetail: string | null) => Reply) | undefined
  answer(context: Context): Promise<Reply>
}

export type Context = {
  request: Request
  requestId: string
  params: Record<string, string>
  /** Lets this answer take so long before the connection counts as idle. */
  patience(seconds: number): void
}

export type RouteDoc = {
  tag: string
  summary: string
  description?: string
  /** By status: what a good answer is, and one to look at. */
  answers: Record<number, { description: string; schema?: TSchema; example?: unknown }>
  problems?: ProblemCode[]
  /** A body to copy. */
  example?: unknown
  /** Parts of a page, which nobody calls by themselves. */
  hidden?: true
  /** Request headers beyond Authorization. */
  headers?: Record<string, string>
}

type Definition<Who, Body extends TSchema, Query extends TSchema, Draft extends TSchema> = Omit<
  Route,
  'auth' | 'answer' | 'body' | 'query'
> & {
  body?: Body
  query?: Query
  /** A body whose names are checked here and whose values the domain judges, all at once. */
  draft?: Draft
  handle(
    input: Who & Context & { body: Static<Body>; query: Static<Query>; draft: DraftBody },
  ): Reply | Promise<Reply>
}

type DraftBody = { fields: Record<string, unknown>; mistakes: FieldError[] }

/** Makers of routes, by who may ask. In every route: who, then what, then the handler. */
export function createRouteMakers(guard: Guard) {
  return {
    app: maker<Caller>('app', guard.caller),
    operator: maker<{ actor: Actor }>('operator', async (request, requestId) => ({
      actor: await guard.operator(request, requestId),
    })),
    open: maker<object>('open', async () => ({})),
  }
}

export type RouteMakers = ReturnType<typeof createRouteMakers>

function maker<Who>(
  auth: Route['auth'],
  identify: (request: Request, requestId: string) => Promise<Who>,
) {
  return <Body extends TSchema, Query extends TSchema, Draft extends TSchema>(
    definition: Definition<Who, Body, Query, Draft>,
  ): Route => {
    const { handle, body, query, draft, ...rest } = definition
    const checkBody = body && createChecker(body)
    const checkQuery = query && createQueryReader(query)

    async function answer(context: Context): Promise<Reply> {
      const who = await identify(context.request, context.requestId)
      const json = body || draft ? await readJson(context.request) : undefined
      return handle({
        ...context,
        ...who,
        body: checkBody ? checkBody(json === undefined ? {} : json) : undefined,
        query: checkQuery ? checkQuery(context.request.url) : undefined,
        draft: draft ? readDraft(draft, json) : { fields: {}, mistakes: [] },
      })
    }
    return { ...rest, auth, body: body ?? draft, query, answer }
  }
}

function readDraft(schema: TSchema, json: unknown): DraftBody {
  const value = json === undefined ? {} : json
  const mistakes = unknownFields(schema, value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Problem('invalid_request', { errors: mistakes })
  }
  return { fields: value as Record<string, unknown>, mistakes }
}

/** One value a name: a second one might be read by somebody else (parameter pollution). */
function createQueryReader<Schema extends TSchema>(schema: Schema) {
  const check = createChecker(schema)
  const fields = schema['properties'] as Record<string, TSchema>
  return (url: string): Static<Schema> => {
    const at = url.indexOf('?')
    const query: Record<string, unknown> = {}
    for (const [name, value] of at < 0 ? [] : new URLSearchParams(url.slice(at + 1))) {
      if (Object.hasOwn(query, name)) {
        throw new Problem('invalid_request', {
          errors: [{ field: 'query', reason: 'has a name twice' }],
        })
      }
      const wantsNumber = Object.hasOwn(fields, name) && fields[name]?.['type'] === 'number'
      query[name] = wantsNumber && /^\d{1,15}$/.test(value) ? Number(value) : value
    }
    return check(query)
  }
}
