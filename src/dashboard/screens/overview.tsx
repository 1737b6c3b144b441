import { useEffect } from 'preact/hooks'
import { withQuery } from '../api.ts'
import { dateTime, duration, number, shortDay, shortTime } from '../format.ts'
import { AppSelect, firstApps } from '../parts/app-select.tsx'
import { ButtonLink } from '../parts/button.tsx'
import { Loaded, type PageOf, useLoaded } from '../parts/loaded.tsx'
import { Card, Empty, Page } from '../parts/page.tsx'
import { Tabs } from '../parts/tabs.tsx'
import { go, href } from '../router.ts'
import type { ScreenProps } from '../screens.ts'
import { every } from '../system.ts'
import type { App } from '../wire.ts'
import { frameWords } from '../words/frame.ts'
import { Chart } from './overview/chart.tsx'
import { Groups } from './overview/groups.tsx'
import { useLive } from './overview/live.ts'
import { Alarms, Now } from './overview/now.tsx'
import { Tiles } from './overview/tiles.tsx'
import { type OverviewAnswer, type Range, ranges } from './overview/wire.ts'
import { overviewWords } from './overview/words.ts'

const againMs = 60_000

/** Whether codes arrive and are used, at a glance. */
export function Overview({ query }: ScreenProps) {
  const words = overviewWords()
  const range = ranges.find((each) => each === query.get('range')) ?? 'day'
  const app = query.get('app')
  const figures = useLoaded<OverviewAnswer>(withQuery('/v1/overview', { range, app }))
  const live = useLive()
  const { reload, refresh } = figures
  useEffect(() => every(againMs, refresh), [range, app])
  useEffect(() => {
    // The figures are as old as the stream that ended.
    if (live.round > 1) reload()
  }, [live.round])
  return (
    <Page title={frameWords().nav.overview} actions={<AppChoice app={app} range={range} />}>
      {live.value && <Alarms alarms={live.value.alarms} />}
      <Tabs
        label={words.range}
        current={range}
        tabs={ranges.map((each) => {
          return { id: each, text: words.ranges[each], to: withQuery('/', { range: each, app }) }
        })}
      />
      <Loaded from={figures}>{(value) => <Figures of={value} />}</Loaded>
      <Now live={live} />
    </Page>
  )
}

function AppChoice({ app, range }: { app: string | null; range: Range }) {
  const apps = useLoaded<PageOf<App>>(firstApps)
  return (
    <AppSelect
      apps={apps.value ?? { items: [], next_cursor: null }}
      chosen={app ?? ''}
      all={overviewWords().allApps}
      onChoose={(chosen) => go(withQuery('/', { range, app: chosen }))}
    />
  )
}

function Figures({ of: value }: { of: OverviewAnswer }) {
  const words = overviewWords()
  if (value.total.started === 0) {
    return (
      <Empty
        title={words.empty}
        action={
          <ButtonLink to="/apps" look="primary">
            {words.toApps}
          </ButtonLink>
        }
      >
        {words.emptyNext} <a href={href('/inbox')}>{words.toInbox}</a>
      </Empty>
    )
  }
  return (
    <div class="stack">
      <Tiles of={value.total} />
      <Card>
        <OverTime of={value} />
      </Card>
      <Card>
        <Waits of={value} />
      </Card>
      <Groups by={value.by} />
      <p class="faint">{words.counted}</p>
    </div>
  )
}

function OverTime({ of: { range, series } }: { of: OverviewAnswer }) {
  const words = overviewWords()
  return (
    <Chart
      title={words.overTime}
      times={series.map(({ at }) => at)}
      kind="counts"
      series={[
        { name: words.started, look: 'a', values: series.map(({ started }) => started) },
        { name: words.handedOver, look: 'b', values: series.map((each) => each.handed_over) },
        { name: words.approved, look: 'c', values: series.map(({ approved }) => approved) },
        { name: words.failed, look: 'd', values: series.map(({ failed }) => failed) },
      ]}
      timeText={timeTextOf(range)}
      axisText={axisTextOf(range)}
      valueText={number}
    />
  )
}

function Waits({ of: { range, series } }: { of: OverviewAnswer }) {
  const words = overviewWords()
  const handOver = series.map(({ hand_over_ms }) => hand_over_ms?.p50 ?? null)
  const approval = series.map(({ approval_ms }) => approval_ms?.p50 ?? null)
  return (
    <Chart
      title={words.waits}
      times={series.map(({ at }) => at)}
      kind="durations"
      series={[
        { name: words.handOver, look: 'b', values: handOver },
        { name: words.approval, look: 'c', values: approval },
      ]}
      timeText={timeTextOf(range)}
      axisText={axisTextOf(range)}
      valueText={duration}
    />
  )
}

/** Days are those of UTC, whatever the reader's own are. */
function timeTextOf(range: Range): (iso: string) => string {
  return range === 'month' || range === 'year' ? (iso) => shortDay(iso, { year: true }) : dateTime
}

function axisTextOf(range: Range): (iso: string) => string {
  return range === 'hour' || range === 'day' ? shortTime : (iso) => shortDay(iso)
}
