import { createHttpOut } from '../../src/channels/http-out.ts'
import type { HttpOut } from '../../src/domain/http-out.ts'
import { systemTimers } from '../../src/system.ts'
import { dnsOf, type Zone } from './dns.ts'

/** For tests in which nothing is asked over HTTP. */
export const noHttpOut: HttpOut = async () => ({ fault: 'unknown_host', isSent: false })

/** Reaches servers on loopback, by address or by the names of a zone (`addresses NAME`). */
export function loopbackHttpOut(zone: Zone = {}, timers = systemTimers): HttpOut {
  return createHttpOut({ timers, dns: dnsOf(zone), egressAllow: ['127.0.0.0/8', '::1/128'] })
}
