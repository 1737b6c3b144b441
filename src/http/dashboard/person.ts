import { whoOf } from '../../domain/account/account.ts'
import { findSession, type SignedIn } from '../../domain/account/session.ts'
import type { Actor } from '../../domain/audit.ts'
import { Problem } from '../../domain/problem.ts'
import type { Asked, Context } from '../core/api.ts'
import type { HttpPorts } from '../ports.ts'
import { readCookie } from './cookie.ts'
import { placeOf } from './place.ts'

/** A person who is signed in, as a handler gets them. */
export type Person = { actor: Actor; signedIn: SignedIn }

type PersonPorts = Pick<HttpPorts, 'accounts' | 'keyring' | 'clock' | 'dashboard'>

/**
 * Knows people by the session in their cookie. Throws `unauthorized`; `forbidden` for a viewer who
 * would change something; `confirmation_required` where secrets are at stake and the password was not
 * given in the last ten minutes.
 */
export function createPerson(ports: PersonPorts) {
  return async ({ request, requestId }: Context, asked: Asked): Promise<Person> => {
    const { dashboard, clock } = ports
    const place = placeOf(request, dashboard)
    const token = place && readCookie(request, place)
    const signedIn = token
      ? await findSession(ports, dashboard.times, { token, isUse: isUse(request) })
      : null
    if (!signedIn) throw new Problem('unauthorized')
    const { account, session } = signedIn
    if (account.role !== 'admin' && !asked.reads) throw new Problem('forbidden')
    if (asked.sensitive && clock.now() >= session.confirmedUntil) {
      throw new Problem('confirmation_required')
    }
    return { actor: { who: whoOf(account), requestId }, signedIn }
  }
}

/** False for what a page asks for by itself, also while nobody is there: it marks that, or is a stream. */
function isUse({ headers }: Request): boolean {
  const isStream = headers.get('accept')?.includes('text/event-stream') === true
  return !isStream && !headers.has('x-otpmint-background')
}
