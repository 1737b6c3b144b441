import { t } from 'elysia'
import { rangeNames } from '../../../domain/figures/overview.ts'
import { count, id, nullable, object, oneOf, output, time } from '../../core/schema.ts'
import { appField } from './records.ts'

export const overviewQuery = object({
  app: appField,
  range: t.Optional(
    oneOf(
      rangeNames,
      'The last hour by 5 minutes, day (default) or week by hours, month by days, or 13 months by days.',
    ),
  ),
})

const percentiles = (description: string) =>
  nullable(
    output('Percentiles', {
      p50: count('In half of the cases it took less, in ms.'),
      p95: count('In 95 of 100 cases it took less, in ms.'),
    }),
    description,
  )

const shown = {
  started: count('Verifications of live keys that were started.'),
  handed_over: count('Those of which a message was accepted, or may have been.'),
  approved: count('Those that were approved.'),
  failed: count('Those that ended without a message that had arrived.'),
  conversion_percent: nullable(
    t.Number({ minimum: 0 }),
    'The approved among the started ones; null where none was started.',
  ),
  hand_over_ms: percentiles('From the start to the first accepted message; null for none.'),
  approval_ms: percentiles('From the start to the approval; null for none.'),
}

const overviewTotal = output('OverviewTotal', shown)
const overviewBucket = output('OverviewBucket', {
  at: time('The start of the bucket.'),
  ...shown,
})
const overviewGroup = output('OverviewGroup', {
  value: t.String({
    description:
      'An app, a channel, a language (empty where the start named none) or a domain; `other` for all that are not told apart.',
  }),
  name: t.Optional(nullable(t.String(), 'Of an app; null without one, and where it is gone.')),
  ...shown,
})

const groups = (description: string) =>
  t.Array(overviewGroup, { description: `${description} The largest first, at most 20.` })

const overviewBy = output('OverviewBy', {
  app: t.Optional(groups('By app, where all are shown.')),
  channel: groups('By the channel that they began with.'),
  locale: groups('By language.'),
  domain: groups('By the domain of the e-mail address; those of few recipients are `other`.'),
})

export const overviewSchema = output('Overview', {
  range: oneOf(rangeNames, 'The range.'),
  app: nullable(id('The app.'), 'Null for all.'),
  from: time('Where the range begins.'),
  to: time('Where it ends: with the bucket of now.'),
  bucket_seconds: count('The length of a bucket.'),
  total: overviewTotal,
  series: t.Array(overviewBucket, { description: 'Every bucket, oldest first.' }),
  by: overviewBy,
})
