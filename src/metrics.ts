import type { HistogramName, MetricName, Metrics } from './domain/ports.ts'

type Family = { help: string; label: string; values: readonly string[] }

const limitNames = [
  'recipient_spacing',
  'recipient_quarter_hour',
  'recipient_day',
  'recipient_day_all_apps',
  'app_minute',
  'ip_failures',
]
const deliveries = ['sent', 'deferred', 'refused', 'undeliverable']
const classes = ['2xx', '3xx', '4xx', '5xx']

// Closed sets: whatever is not in them is counted as `other`, so no address and no id can ever
// become a label, and the number of series is known.
const counters: Record<MetricName, Family> = {
  otpmint_http_requests_total: {
    help: 'HTTP requests answered, by class of status.',
    label: 'status',
    values: classes,
  },
  otpmint_verifications_started_total: {
    help: 'Starts, by what became of them.',
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
    values: deliveries,
  },
  otpmint_limited_total: {
    help: 'Requests refused by a limit, by its name.',
    label: 'limit',
    values: limitNames,
  },
  otpmint_swept_rows_total: {
    help: 'Rows deleted because their keeping time was over.',
    label: 'kind',
    values: ['rows', 'deliveries'],
  },
}

const histograms: Record<HistogramName, Family> = {
  otpmint_http_request_seconds: {
    help: 'Time to answer a request, in seconds, by class of status.',
    label: 'status',
    values: classes,
  },
  otpmint_delivery_seconds: {
    help: 'Time of one try to hand a message over, in seconds, by its outcome.',
    label: 'outcome',
    values: deliveries,
  },
}

/** Upper bounds in seconds: half a millisecond to the longest a send may take. */
const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 2.5, 10, 40]

/** Counts in memory; a restart starts from nothing, as Prometheus expects of counters. */
export function createMetrics(): Metrics {
  const counts = filled(counters, () => 0)
  const series = filled(histograms, () => ({ buckets: bounds.map(() => 0), sum: 0, count: 0 }))

  return {
    count(name, label, by = 1) {
      const values = counts[name]
      const value = label in values ? label : 'other'
      values[value] = (values[value] ?? 0) + by
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
      const lines: string[] = []
      for (const [name, values] of Object.entries(counts)) {
        const { help, label } = counters[name as MetricName]
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`)
        for (const [value, count] of Object.entries(values)) {
          lines.push(`${name}{${label}="${value}"} ${count}`)
        }
      }
      for (const [name, values] of Object.entries(series)) {
        const { help, label } = histograms[name as HistogramName]
        lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} histogram`)
        for (const [value, entry] of Object.entries(values)) {
          lines.push(...histogramLines(name, `${label}="${value}"`, entry))
        }
      }
      return `${lines.join('\n')}\n`
    },
  }
}

type Series = { buckets: number[]; sum: number; count: number }

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

/** Every series from the start, so that a rate over it is right from its first increment. */
function filled<Name extends string, Value>(
  families: Record<Name, Family>,
  empty: () => Value,
): Record<Name, Record<string, Value>> {
  const all = {} as Record<Name, Record<string, Value>>
  for (const name of Object.keys(families) as Name[]) {
    const series: Record<string, Value> = Object.create(null)
    for (const value of [...families[name].values, 'other']) series[value] = empty()
    all[name] = series
  }
  return all
}
