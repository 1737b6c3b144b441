import { createDns } from '../channels/dns.ts'
import { createReach } from '../channels/http-egress.ts'
import { createHttpOut } from '../channels/http-out.ts'
import { createPhones } from '../channels/phones.ts'
import { createBots } from '../channels/telegram/bots.ts'
import type { Settings } from '../config/load.ts'
import { dkimPairs } from '../keys/dkim-pair.ts'
import { createPasswords } from '../keys/passwords.ts'
import { pem } from '../keys/pem.ts'
import { templating } from '../messages/templating.ts'
import { systemRandom, systemTimers } from '../system.ts'
import type { OpenPorts } from './open.ts'

type Own = Pick<
  OpenPorts,
  'store' | 'clock' | 'databaseClock' | 'node' | 'keyring' | 'found' | 'nextKey' | 'directory'
>

/** Every port, from a store that is open and the world. */
export function portsOf(settings: Settings, own: Own): OpenPorts {
  const dns = createDns({ timers: systemTimers })
  const world = { clock: own.clock, timers: systemTimers, random: systemRandom, dns }
  const httpOut = createHttpOut({ ...world, egressAllow: settings.egressAllow })
  return {
    ...own.store,
    ...world,
    ...own,
    settings: settings.domain,
    pem,
    phones: createPhones(),
    httpOut,
    mayReach: createReach(settings.egressAllow),
    dkimPairs,
    bots: createBots({ httpOut, timers: systemTimers }),
    templating,
    passwords: createPasswords({ keyring: own.keyring, random: systemRandom }),
  }
}
