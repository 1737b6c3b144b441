import { acceptLink, readLink } from '../../domain/account/accept.ts'
import type { Account } from '../../domain/account/account.ts'
import { endSession } from '../../domain/account/accounts.ts'
import {
  changePassword,
  endOtherSessions,
  removeSecondStep,
  setSecondStep,
} from '../../domain/account/own-account.ts'
import { newSecret, secretUri } from '../../domain/account/second-step.ts'
import { idleUntil, type NewSession, type SignedIn } from '../../domain/account/session.ts'
import { confirmSession, signIn } from '../../domain/account/sign-in.ts'
import { Problem } from '../../domain/problem.ts'
import { presentSession } from '../../present/accounts.ts'
import { timestamp } from '../../present.ts'
import type { Context, Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { RoutePorts } from '../core/route.ts'
import type { PersonCall } from './api.ts'
import { browserOf } from './browser.ts'
import { dropCookie, setCookie } from './cookie.ts'
import { placeOf } from './place.ts'

export function get(ports: RoutePorts, { signedIn }: PersonCall): Reply {
  return json(shown(ports, signedIn))
}

type SignIn = { name: string; password: string; code?: string }

export async function create(
  ports: RoutePorts,
  { body, ...context }: Context & { body: SignIn },
): Promise<Reply> {
  const { times } = ports.dashboard
  const from = { ...whence(context), client: context.client() }
  return began(ports, context, await signIn(ports, times, { ...body, ...from }))
}

export async function link(
  ports: RoutePorts,
  { body }: { body: { token: string } },
): Promise<Reply> {
  const { purpose, name, role } = await readLink(ports, body.token)
  return json({ purpose, name, role, second_step: proposed(ports, name ?? '') })
}

type Accept = { token: string; name?: string; password: string; secret?: string; code?: string }

export async function accept(
  ports: RoutePorts,
  { body, ...context }: Context & { body: Accept },
): Promise<Reply> {
  const { times } = ports.dashboard
  const from = { ...whence(context), client: context.client().name }
  return began(ports, context, await acceptLink(ports, times, { ...body, ...from }))
}

export async function remove(
  ports: RoutePorts,
  { actor, signedIn, request }: PersonCall,
): Promise<Reply> {
  const { accountId, id } = signedIn.session
  await endSession(ports, actor, { accountId, id })
  return { ...noContent, headers: dropCookie(here(ports, request)) }
}

export async function removeOthers(
  ports: RoutePorts,
  { signedIn, requestId }: PersonCall,
): Promise<Reply> {
  await endOtherSessions(ports, signedIn, requestId)
  return noContent
}

export async function confirm(
  ports: RoutePorts,
  { signedIn, client, requestId, body }: PersonCall & { body: Omit<SignIn, 'name'> },
): Promise<Reply> {
  const request = { ...body, client: client(), requestId }
  return json({ confirmed_until: timestamp(await confirmSession(ports, signedIn, request)) })
}

export async function putPassword(
  ports: RoutePorts,
  { signedIn, requestId, body }: PersonCall & { body: { password: string } },
): Promise<Reply> {
  await changePassword(ports, signedIn, { ...body, requestId })
  return noContent
}

/** Proposes a secret; nothing is kept until its code comes with it. */
export function proposeSecondStep(ports: RoutePorts, { signedIn }: PersonCall): Reply {
  return json(proposed(ports, signedIn.account.name))
}

export async function putSecondStep(
  ports: RoutePorts,
  { signedIn, requestId, body }: PersonCall & { body: { secret: string; code: string } },
): Promise<Reply> {
  await setSecondStep(ports, signedIn, { ...body, requestId })
  return noContent
}

export async function deleteSecondStep(
  ports: RoutePorts,
  { signedIn, requestId }: PersonCall,
): Promise<Reply> {
  await removeSecondStep(ports, signedIn, requestId)
  return noContent
}

function whence({ request, requestId }: Context) {
  return { browser: browserOf(request), requestId }
}

function proposed(ports: Pick<RoutePorts, 'random'>, name: string) {
  const secret = newSecret(ports)
  return { secret, uri: secretUri(secret, name) }
}

/** The answer that signs a browser in. */
function began(
  ports: RoutePorts,
  { request }: Context,
  { token, session, account }: NewSession & { account: Account },
): Reply {
  const seconds = Math.round(ports.dashboard.times.lifeMs / 1000)
  const cookie = setCookie(here(ports, request), token, seconds)
  return json(shown(ports, { account, session }), 201, cookie)
}

function shown({ dashboard, clock }: RoutePorts, signedIn: SignedIn) {
  const until = idleUntil(signedIn.session, dashboard.times)
  return presentSession(signedIn, { idleUntil: until, now: clock.now() })
}

function here({ dashboard }: RoutePorts, request: Request) {
  const place = placeOf(request, dashboard)
  if (!place) throw new Problem('misdirected_request')
  return place
}
