import { expect, test } from 'bun:test'
import { countJudged, otherGroup, type Scores } from '../../src/domain/learning/scores.ts'
import { totalsMax } from '../../src/domain/learning/totals.ts'
import { dayMs } from '../../src/domain/verification/limits.ts'
import { judgedOf } from '../domain/learning/fixture.ts'
import { times } from '../support/commands.ts'
import { noon } from '../support/world.ts'
import { adminToken, type Site, site } from './fixture.ts'

const today = Math.floor(noon / dayMs)
const by = 'by=endpoint,domain'

const admin = (at: Site, path: string) => at.call('GET', path, { token: adminToken })

async function learner() {
  const known: { scores: Scores | null } = { scores: null }
  const at = await site({ ports: { learned: { of: () => known.scores } } })
  const [endpoint] = at.app.endpoints
  const body = { policy: { learned_route: true } }
  const changed = await at.call('PATCH', `/v1/apps/${at.app.id}`, { body, token: adminToken })
  expect([changed.status, changed.json.policy]).toEqual([200, body.policy])
  return { at, known, appId: at.app.id, endpointId: endpoint?.id ?? '' }
}

/** Stores what is counted of these verifications. */
async function counted({ at, appId, endpointId }: Awaited<ReturnType<typeof learner>>) {
  const place = { endpointId, candidates: [endpointId] }
  const judged = [
    ...times(25, (index) => judgedOf({ ...place, recipient: index, isApproved: index < 20 })),
    ...times(4, (index) => {
      const group = `small${index % 2}.test`
      return judgedOf({ ...place, group, recipient: 100 + index, isApproved: true })
    }),
  ]
  const { folded, ...rest } = countJudged(null, judged, new Set([endpointId]))
  const to = { ...folded, to: otherGroup }
  await at.ports.learning.count({ appId, expectedVersion: 0, after: '', ...rest, folded: to })
}

test('stats by endpoint and domain show shares, and small domains together', async () => {
  const given = await learner()
  const { at, appId, endpointId } = given
  await counted(given)

  const { status, json } = await admin(at, `/v1/stats?${by}&app=${appId}`)
  const all = await admin(at, `/v1/stats?${by}`)
  const earlier = await admin(at, `/v1/stats?${by}&to=2026-06-15T00:00:00Z`)

  expect(status).toBe(200)
  expect(json).toEqual({
    by: 'endpoint,domain',
    from: '2026-05-16T00:00:00.000Z',
    to: '2026-06-16T00:00:00.000Z',
    items: [
      {
        ...{ app: appId, endpoint: endpointId, group: 'example.com' },
        ...{ handed_over: 25, approved: 20, share: 0.8 },
      },
      { app: appId, endpoint: endpointId, group: 'other', handed_over: 4, approved: 4, share: 1 },
    ],
  })
  expect(all.json.items).toEqual(json.items)
  expect(earlier.json.items).toEqual([])
})

test('stats by endpoint and domain refuse a bucket, another order and too many rows', async () => {
  const { at, appId } = await learner()
  const counts = times(totalsMax + 1, (index) => {
    return { day: today, group: 'a.test', endpointId: `${index}`, handedOver: 1, approved: 1 }
  })
  const folded = { from: 0, before: 0, groups: [], to: otherGroup }
  const scores = { day: today, groups: {} }
  const command = { appId, expectedVersion: 0, after: '', scores, seen: [], folded }
  await at.ports.learning.count({ ...command, counts })

  const fields = async (query: string) => {
    const { status, json } = await admin(at, `/v1/stats?${query}`)
    return [status, json.errors?.[0].field]
  }
  expect(await fields(`${by}&bucket=day`)).toEqual([422, 'bucket'])
  expect(await fields('by=domain,endpoint')).toEqual([422, 'by'])
  expect(await fields(by)).toEqual([422, 'app'])
  expect(await fields(`${by}&app=${appId}`)).toEqual([422, 'from'])
  expect(await fields('by=time&bucket=day')).toEqual([200, undefined])
})

test('a verification shows why each message began with its endpoint', async () => {
  const given = await learner()
  const { at, known, endpointId } = given
  await counted(given)
  const start = async (to: string) => {
    const { json } = await at.call('POST', '/v1/verifications', { body: { to } })
    const { json: details } = await at.call('GET', `/v1/verifications/${json.id}`)
    return details.deliveries[0].chosen
  }
  const option = { channel: 'email', endpoint: endpointId }

  expect(await start('ada@example.com')).toEqual({
    group: 'example.com',
    explanation: 'by rank: nothing is known yet',
    options: [{ ...option, approved_percent: null }],
  })
  const kept = await at.ports.learning.scores(at.app.id)
  known.scores = kept?.scores ?? null
  expect(await start('bob@example.com')).toMatchObject({ explanation: '79 % approved here' })
  expect(await start('bob@small0.test')).toMatchObject({
    group: 'small0.test',
    explanation: '100 % approved here',
  })
})

test('without a learned route a message shows no choice', async () => {
  const at = await site()
  const { json } = await at.call('POST', '/v1/verifications', { body: { to: 'ada@example.com' } })
  const { json: details } = await at.call('GET', `/v1/verifications/${json.id}`)

  expect(Object.keys(details.deliveries[0])).not.toContain('chosen')
})
