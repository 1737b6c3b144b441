import {
  allApps,
  type Figure,
  newFigure,
  type Part,
  slotStart,
  spans,
} from '../../src/domain/figures/count.ts'
import { addTime, type Times } from '../../src/domain/figures/times.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { openSqliteStore } from '../../src/store/sqlite/store.ts'
import { systemTimers } from '../../src/system.ts'

/** How verifications of a sample are told apart, with the share of each value. */
const shares: Record<Exclude<Part, 'total' | 'app'>, Record<string, number>> = {
  channel: { email: 0.8, sms: 0.15, telegram: 0.05 },
  locale: { en: 0.5, de: 0.25, 'pt-BR': 0.1, '': 0.15 },
  domain: {
    'gmail.com': 0.4,
    'outlook.com': 0.2,
    'proton.me': 0.1,
    'a-rather-long-name-of-a-domain.example.com': 0.05,
    other: 0.25,
  },
}

/** Writes 13 months of figures of these apps, as of now, into the database of a server that is stopped. */
export async function fillFigures(path: string, appIds: string[], now = Date.now()) {
  const store = await openSqliteStore({ path, timers: systemTimers })
  const known = await store.figures.state()
  let version = known?.version ?? 0
  const state = known ?? { after: '', afterEvent: 0, countedUntil: now }
  for (const { spanMs, keptMs } of spans) {
    for (let at = slotStart(now - Math.min(keptMs, 397 * dayMs), spanMs); at <= now; at += spanMs) {
      const figures = appIds.flatMap((appId, index) => sampleSlot({ at, spanMs, appId, index }))
      await store.figures.write({
        ...{ expectedVersion: version++, removed: [], figures: summed(figures) },
        state: { ...state, countedUntil: now },
      })
    }
  }
  await store.close()
}

type Sample = { at: number; spanMs: number; appId: string; index: number }

/** What one app did in a slot: more by day than at night, and more of late than a year ago. */
function sampleSlot({ at, spanMs, appId, index }: Sample): Figure[] {
  const wave = spanMs === dayMs ? 1 : 1.2 + Math.sin(((at % dayMs) / dayMs) * 2 * Math.PI - 2)
  const days = Math.floor(at / dayMs)
  const started = Math.round((((40 + (days % 7) * 6) * wave) / (index + 1)) * (spanMs / 3_600_000))
  const place = (scope: string, part: Part, value: string, share = 1) =>
    sample({ scope, spanMs, at, part, value }, started * share)
  return [allApps, appId].flatMap((scope) => [
    place(scope, 'total', ''),
    ...(scope === allApps ? [place(scope, 'app', appId)] : []),
    ...Object.entries(shares).flatMap(([part, values]) =>
      Object.entries(values).map(([value, share]) => place(scope, part as Part, value, share)),
    ),
  ])
}

function sample(key: Parameters<typeof newFigure>[0], started: number): Figure {
  const whole = Math.round(started)
  const [handedOver, approved] = [Math.round(started * 0.98), Math.round(started * 0.84)]
  const times = (count: number, ms: number): Times => {
    const counted: Times = {}
    for (let index = 0; index < Math.min(count, 20); index++) addTime(counted, ms * (1 + index / 4))
    return counted
  }
  return {
    ...newFigure(key),
    ...{ started: whole, handedOver, approved, failed: whole - handedOver, recipients: null },
    ...{ handOverTimes: times(handedOver, 240), approvalTimes: times(approved, 14_000) },
  }
}

/** One figure for each key, as the store has them. */
function summed(figures: Figure[]): Figure[] {
  const byKey = Map.groupBy(figures, ({ scope, part, value }) => `${scope} ${part} ${value}`)
  return [...byKey.values()].flatMap(([first, ...more]) => {
    if (!first) return []
    for (const each of more) {
      first.started += each.started
      first.handedOver += each.handedOver
      first.approved += each.approved
      first.failed += each.failed
    }
    return [first]
  })
}
