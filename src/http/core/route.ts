import type { Static, TSchema } from 'elysia'
import type { ProblemCode } from '../../domain/problem.ts'
import type { HttpPorts } from '../ports.ts'
import type { Api, Context, Reply } from './api.ts'
import type { Guard } from './guard.ts'
import { readRaw } from './raw-body.ts'
import { bodyBytesMax, createChecker, createQueryReader, type Draft, readDraft } from './request.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What a handler may use. */
export type RoutePorts = HttpPorts & {
  guard: Guard
  /** The address of this server for browsers, without a slash at its end; null where there is none. */
  pageBase(): string | null
}

/** The description of one route: its input, and its documentation. */
export type Operation<Body extends TSchema = TSchema, Query extends TSchema = TSchema> = {
  /** Its name in OpenAPI and in generated clients. */
  id: string
  tag: string
  summary: string
  description?: string
  /** The schema of each parameter of the path. */
  params?: Record<string, TSchema>
  query?: Query
  /** A body that is checked here. */
  body?: Body
  /** A body whose names are checked here and whose values the domain judges, all at once. */
  draft?: TSchema
  /** A body that is no JSON. */
  raw?: { mediaType: string; description: string }
  /** The longest body in bytes, where it is not 16 KiB. */
  bodyBytesMax?: number
  /** An example of the body. */
  example?: unknown
  /** Request headers beyond Authorization. */
  headers?: Record<string, { description: string; schema: Record<string, unknown> }>
  /** By status. */
  answers: Record<number, Answer>
  problems?: ProblemCode[]
  /** It changes nothing, although it is no GET, so that an account which may only read can call it. */
  reads?: true
  /** Set for assets of pages, which are not in OpenAPI. */
  hidden?: true
  /** Set where secrets are made or changed, so that a person is asked for the password again. */
  sensitive?: true
}

export type Answer = {
  description: string
  schema?: TSchema
  /** The media type, where it is another than the API's. */
  mediaType?: string
  example?: unknown
  headers?: Record<string, string>
}

/** A route as it is served and described. */
export type Route = {
  method: Method
  path: string
  api: Api
  /** The kind of caller, as its API names it. */
  caller: string
  operation: Operation
  answer(ports: RoutePorts, context: Context, params: Record<string, string>): Promise<Reply>
}

type Input<Path extends string, Body extends TSchema, Query extends TSchema> = Context & {
  params: Params<Path>
  body: Static<Body>
  query: Static<Query>
  draft: Draft
  /** Empty for a route that takes JSON. */
  raw: Uint8Array
}

/** The parameters of a path: `/v1/apps/:id/keys/:key_id` has `id` and `key_id`. */
export type Params<Path extends string> = { [Name in ParamNames<Path>]: string }
type ParamNames<Path extends string> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Behind}`
    ? Name | ParamNames<Behind>
    : Rest
  : never

type Call = { ports: RoutePorts; context: Context; params: Record<string, string> }

const noBytes = new Uint8Array(0)

/** Makes the rows of an API's route table: authentication, then input, then the handler. */
export function routesOf<Callers extends object>(api: Api<Callers>) {
  return <
    const Path extends string,
    const Kind extends keyof Callers & string,
    Body extends TSchema,
    Query extends TSchema,
  >(
    method: Method,
    path: Path,
    caller: Kind,
    operation: Operation<Body, Query>,
    handle: (
      ports: RoutePorts,
      input: Callers[Kind] & Input<Path, Body, Query>,
    ) => Reply | Promise<Reply>,
  ): Route => {
    const { body, query, draft, raw } = operation
    const bytesMax = operation.bodyBytesMax ?? bodyBytesMax
    const checkBody = body && createChecker(body)
    const readQuery = query && createQueryReader(query)
    const who = api.authenticate[caller]
    const { reads = method === 'GET', sensitive = false } = operation
    const asked = { reads, sensitive }

    async function answer(ports: RoutePorts, context: Context, params: Record<string, string>) {
      const identified = await who.identify(ports.guard, context, asked)
      try {
        return await answerTo(identified, { ports, context, params })
      } catch (error) {
        await identified.confirm?.()
        throw error
      }
    }

    async function answerTo(identified: object, { ports, context, params }: Call) {
      const read = body || draft ? await api.readBody(context.request, bytesMax) : undefined
      return handle(ports, {
        ...context,
        ...identified,
        // Elysia sets exactly the parameters of the path.
        params: params as Params<Path>,
        body: checkBody ? checkBody(read === undefined ? {} : read) : undefined,
        query: readQuery ? readQuery(context.request.url) : undefined,
        draft: draft ? readDraft(draft, read) : { fields: {}, mistakes: [] },
        raw: raw ? await readRaw(context.request, { ...raw, bytesMax }) : noBytes,
      } as Callers[Kind] & Input<Path, Body, Query>)
    }
    return { method, path, api: api as Api, caller, operation: operation as Operation, answer }
  }
}
