import { type DeliveryOutcome, deferredBy } from '../domain/delivery/delivery.ts'
import type { HttpFault } from '../domain/http-out.ts'

const words: Record<HttpFault['fault'], string> = {
  timeout: 'did not answer in time',
  unreachable: 'could not be reached',
  certificate: 'has a certificate that is not trusted',
  too_long: 'gave an answer that is too long',
  not_public: 'has an address that is not public and that OTPMINT_EGRESS_ALLOW does not name',
  unknown_host: 'has no address in the DNS, or the DNS did not answer',
}

/** What a fault says of a server, as the end of a sentence that begins with its name. */
export function wordsOfFault({ fault }: HttpFault): string {
  return words[fault]
}

/**
 * The outcome of a hand-over without an answer. What may have been accepted is ambiguous; settings
 * that are wrong are refused, because no later try will do. `server` names the other side.
 */
export function outcomeOfFault(
  fault: HttpFault,
  server: string,
): Exclude<DeliveryOutcome, { status: 'sent' }> {
  const detail = `${server} ${wordsOfFault(fault)}`
  if (fault.fault === 'certificate' || fault.fault === 'not_public') {
    return { status: 'refused', cause: 'server', code: null, detail }
  }
  return deferredBy('network', detail, { ambiguous: fault.isSent })
}
