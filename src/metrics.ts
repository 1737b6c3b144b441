import { alarmKinds } from './domain/alarm.ts'
import { bounceResults } from './domain/delivery/bounce.ts'
import { deliveryStatuses } from './domain/delivery/delivery.ts'
import type { CounterMetric, GaugeMetric, HistogramMetric, Metrics } from './domain/ports.ts'
import { limitNames } from './domain/verification/limits.ts'

type Family = { help: string; label: string; values: readonly string[] }

/** Not counted: what is no outcome of a try. */
const reported = ['queued', 'bounced', 'delivered', 'failed']
const outcomes = deliveryStatuses.filter((status) => !reported.includes(status))
const classes = ['2xx', '3xx', '4xx', '5xx']

// Closed sets of labels: other values are counted as `other`, so that no address or id becomes a
// label, and the number of series is bounded.
const counters: Record<CounterMetric, Family> = {
  otpmint_http_requests_total: {
    help: 'HTTP requests answered, by class of status.',
    label: 'status',
    values: classes,
  },
  otpmint_verifications_started_total: {
    help: 'Starts, by their outcome.',
    label: 'outcome',
    values: ['started', 'replayed'],
  },
  otpmint_checks_total: {
    help: 'Checks of a code that were judged, by their result.',
    label: 'outcome',
    values: ['approved', 'wrong'],
  },
  otpmint_deliveries_total: {
    help: 'Tries to hand a message over, by their outcome.',
    label: 'outcome',
    values: outcomes,
  },
  otpmint_bounces_total: {
    help: 'Reports of returned mail, by what became of them.',
    label: 'result',
    values: bounceResults,
  },
  otpmint_webhook_tries_total: {
    help: 'Posts of messages to webhooks: delivered, failed to be tried again, or dead.',
    label: 'outcome',
    values: ['delivered', 'failed', 'dead'],
  },
  otpmint_limited_total: {
    help: 'Requests refused by a limit, by its name.',
    label: 'limit',
    values: limitNames,
  },
  otpmint_swept_rows_total: {
    help: 'Rows deleted because their keeping time was over.',
    label: 'kind',
    values: ['rows', 'audit'],
  },
  otpmint_log_lost_total: {
    help: 'Lost lines of the log: the reader is gone or too slow, or the disk is full.',
    label: 'stream',
    values: ['stdout'],
  },
}

const gauges: Record<GaugeMetric, Family> = {
  otpmint_alarms: {
    help: 'Alarms that are on, by kind.',
    label: 'kind',
    values: alarmKinds,
  },
  otpmint_outbox: {
    help: 'The outbox: messages waiting, the age of the oldest, connections, messages a second.',
    label: 'what',
    values: ['waiting', 'oldest_seconds', 'connections', 'rate'],
  },
  otpmint_webhook_messages: {
    help: 'Messages that wait for webhooks.',
    label: 'what',
    values: ['waiting'],
  },
}

const histograms: Record<HistogramMetric, Family> = {
  otpmint_http_request_seconds: {
    help: 'Time to answer a request, in seconds, by class of status.',
    label: 'status',
    values: classes,
  },
  otpmint_delivery_seconds: {
    help: 'Time of one try to hand a message over, in seconds, by its outcome.',
    label: 'outcome',
    values: outcomes,
  },
}

/** Upper bounds in seconds, from half a millisecond to the longest time of a try. */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 2.5, 10, 40]

/** Counts in memory; a restart begins at 0, as Prometheus expects of counters. */
export function createMetrics(): Metrics {
  const counts = filled(counters, () => 0)
  const levels = filled(gauges, () => 0)
  const series = filled(histograms, () => ({ buckets: bounds.map(() => 0), sum: 0, count: 0 }))

  return {
    count(name, label, by = 1) {
      const values = counts[name]
      const value = label in values ? label : 'other'
      values[value] = (values[value] ?? 0) + by
    },
    set(name, label, value) {
      levels[name][label in levels[name] ? label : 'other'] = value
    },
    observe(name, label, seconds) {
      const entry = series[name][label] ?? series[name]['other']
      if (!entry) return
      entry.sum += seconds
      entry.count += 1
      const index = bounds.findIndex((bound) => seconds <= bound)
      if (index >= 0) entry.buckets[index] = (entry.buckets[index] ?? 0) + 1
    },
    render() {
      const lines = [
        ...families('counter', counters, counts, plainLine),
        ...families('gauge', gauges, levels, plainLine),
        ...families('histogram', histograms, series, histogramLines),
      ]
      return `${lines.join('\n')}\n`
    },
  }
}

type Series = { buckets: number[]; sum: number; count: number }

function families<Name extends string, Value>(
  type: string,
  all: Record<Name, Family>,
  values: Record<Name, Record<string, Value>>,
  render: (name: string, label: string, value: Value) => string[],
): string[] {
  return (Object.keys(all) as Name[]).flatMap((name) => [
    `# HELP ${name} ${all[name].help}`,
    `# TYPE ${name} ${type}`,
    ...Object.entries(values[name]).flatMap(([value, entry]) => {
      return render(name, `${all[name].label}="${value}"`, entry)
    }),
  ])
}

function plainLine(name: string, label: string, value: number): string[] {
  return [`${name}{${label}} ${value}`]
}

function histogramLines(name: string, label: string, { buckets, sum, count }: Series): string[] {
  let total = 0
  const lines = bounds.map((bound, index) => {
    total += buckets[index] ?? 0
    return `${name}_bucket{${label},le="${bound}"} ${total}`
  })
  return [
    ...lines,
    `${name}_bucket{${label},le="+Inf"} ${count}`,
    `${name}_sum{${label}} ${sum}`,
    `${name}_count{${label}} ${count}`,
  ]
}

/** Creates every series at 0, so that a rate over it is right from the first increment. */
function filled<Name extends string, Value>(
  all: Record<Name, Family>,
  empty: () => Value,
): Record<Name, Record<string, Value>> {
  const filledAll = {} as Record<Name, Record<string, Value>>
  for (const name of Object.keys(all) as Name[]) {
    const series: Record<string, Value> = Object.create(null)
    for (const value of [...all[name].values, 'other']) series[value] = empty()
    filledAll[name] = series
  }
  return filledAll
}
