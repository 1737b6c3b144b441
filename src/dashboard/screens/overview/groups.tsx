import { number } from '../../format.ts'
import { Card } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { locale } from '../../preferences.ts'
import { href } from '../../router.ts'
import { percentOf, timeOf } from './tiles.tsx'
import type { Group, OverviewAnswer } from './wire.ts'
import { overviewWords } from './words.ts'

const parts = ['app', 'channel', 'locale', 'domain'] as const
type Part = (typeof parts)[number]

/** The figures by app, channel, language and domain. */
export function Groups({ by }: { by: OverviewAnswer['by'] }) {
  return (
    <>
      {parts.map((part) => {
        const groups = by[part]
        return groups && <GroupCard key={part} part={part} groups={groups} />
      })}
    </>
  )
}

function GroupCard({ part, groups }: { part: Part; groups: Group[] }) {
  const words = overviewWords()
  return (
    <Card title={words.by[part]}>
      {groups.length === 0 ? (
        <p class="faint">{words.nothingHere}</p>
      ) : (
        <div class="dense">
          <Table
            caption={words.by[part]}
            rows={groups}
            keyOf={({ value }) => value}
            columns={[
              {
                label: words.group[part],
                isName: true,
                cell: (group) => <Name part={part} group={group} />,
              },
              { label: words.started, isNumber: true, cell: ({ started }) => number(started) },
              {
                label: words.handedOver,
                isNumber: true,
                cell: ({ handed_over }) => number(handed_over),
              },
              { label: words.approved, isNumber: true, cell: ({ approved }) => number(approved) },
              {
                label: words.conversion,
                isNumber: true,
                cell: ({ conversion_percent }) => percentOf(conversion_percent),
              },
              { label: words.failed, isNumber: true, cell: ({ failed }) => number(failed) },
              {
                label: words.handOverTimes,
                isNumber: true,
                cell: ({ hand_over_ms }) => both(hand_over_ms),
              },
              {
                label: words.approvalTimes,
                isNumber: true,
                cell: ({ approval_ms }) => both(approval_ms),
              },
            ]}
          />
        </div>
      )}
      {part === 'domain' && <p class="below faint">{words.smallDomains}</p>}
    </Card>
  )
}

function both(times: Group['hand_over_ms']): string {
  return times ? `${timeOf(times.p50)} / ${timeOf(times.p95)}` : overviewWords().none
}

function Name({ part, group: { value, name } }: { part: Part; group: Group }) {
  const words = overviewWords()
  if (value === 'other') return words.other
  if (part === 'app') {
    const isGone = name === undefined || name === null
    return isGone ? words.goneApp : <a href={href(`/apps/${value}`)}>{name}</a>
  }
  return part === 'locale' ? languageOf(value) : value
}

/** `pt-BR` as the reader calls it, with the tag. */
function languageOf(tag: string): string {
  if (tag === '') return overviewWords().noLocale
  try {
    const name = new Intl.DisplayNames(locale(), { type: 'language' }).of(tag)
    return name && name !== tag ? `${name} (${tag})` : tag
  } catch {
    return tag
  }
}
