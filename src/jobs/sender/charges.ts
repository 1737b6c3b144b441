import { raiseAlarm } from '../../domain/alarm.ts'
import { effectivePolicy } from '../../domain/app/policy.ts'
import type { DeliveryOutcome, Handover } from '../../domain/delivery/delivery.ts'
import {
  type Charge,
  chargeOf,
  isGivenBack,
  outcomeOfCharge,
} from '../../domain/delivery/spending.ts'
import type { Log, Metrics, Ports } from '../../domain/ports.ts'
import { nameOf } from '../../domain/problem.ts'

/** Caps and costs of hand-overs. */
export type Charges = {
  /** What the hand-over takes before it begins; null for nothing, as with mail that costs nothing. */
  of(handover: Handover): Charge | null
  /** Takes it; the outcome of the hand-over where that is refused. */
  take(charge: Charge): Promise<DeliveryOutcome | null>
  /** Gives the cost back where the message surely was not taken; null for one that was not begun. */
  end(charge: Charge | null, outcome: DeliveryOutcome | null): void
}

type ChargePorts = Pick<
  Ports,
  'spending' | 'phones' | 'keyring' | 'clock' | 'alarms' | 'settings'
> & { log: Log; metrics: Metrics }

/** Apps whose alarm of this day is known to be on. */
const knownMax = 10_000

export function createCharges(ports: ChargePorts): Charges {
  const { spending, phones, keyring, clock, settings, log, metrics } = ports
  const alarmed = new Map<string, number>()

  /** Once a day for an app; the watch of costs ends it on the next day. */
  function alarm({ appId, day, costMax }: Charge): void {
    if (alarmed.get(appId) === day) return
    alarmed.delete(appId)
    alarmed.set(appId, day)
    const [oldest] = alarmed.keys()
    if (alarmed.size > knownMax && oldest !== undefined) alarmed.delete(oldest)
    const place = { kind: 'cost_capped', appId, endpointId: null } as const
    raiseAlarm(ports, place, { cost_per_day: costMax }).catch((error: unknown) => {
      log.warn('alarm_failed', { detail: nameOf(error) })
    })
  }

  return {
    of({ app, endpoint, mode, verificationId, recipient }) {
      const cost = endpoint?.settings.cost ?? 0
      const isPhone = recipient.kind === 'phone'
      if (mode !== 'live' || endpoint === null || (cost === 0 && !isPhone)) return null
      return chargeOf(keyring, {
        ...{ appId: app.id, mode, verificationId, cost, now: clock.now() },
        number: isPhone ? phones.read(recipient.address) : null,
        policy: effectivePolicy(app.policy, settings),
      })
    },
    async take(charge) {
      const result = await spending.charge(charge)
      if (result.outcome === 'charged') return null
      if (result.outcome === 'costly') alarm(charge)
      else metrics.count('otpmint_limited_total', result.limit)
      return outcomeOfCharge(result)
    },
    end(charge, outcome) {
      if (charge === null || charge.cost === 0 || !isGivenBack(outcome)) return
      const { appId, day, cost } = charge
      spending.giveBack({ appId, day, cost }).catch((error: unknown) => {
        log.warn('cost_kept', { detail: nameOf(error) })
      })
    },
  }
}
