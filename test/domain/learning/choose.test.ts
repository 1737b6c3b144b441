import { expect, test } from 'bun:test'
import { createPhones } from '../../../src/channels/phones.ts'
import type { App } from '../../../src/domain/app/app.ts'
import type { ChannelKind } from '../../../src/domain/delivery/channel.ts'
import { chooseRoute } from '../../../src/domain/learning/choose.ts'
import type { Scores } from '../../../src/domain/learning/scores.ts'
import type { Recipient } from '../../../src/domain/verification/recipient.ts'
import { plainApp, times } from '../../support/commands.ts'

const phones = createPhones()

/** An app with one endpoint of each of these channels. */
function appWith(channels: ChannelKind[], change: Partial<App> = {}): App {
  const endpoints = channels.map((channel) => {
    return { id: channel, channel, rank: 1, settings: { cost: null }, off: null }
  })
  const made = endpoints as unknown as App['endpoints']
  return plainApp({ policy: { learnedRoute: true }, endpoints: made, ...change })
}

function choose(
  stops: [ChannelKind, Recipient][],
  { app, scores = null, seed = 'x' }: { app?: App; scores?: Scores | null; seed?: string } = {},
) {
  const routed = {
    route: stops.map(([channel], recipient) => ({ channel, recipient })),
    recipients: stops.map(([, recipient]) => recipient),
  }
  const used = app ?? appWith(stops.map(([channel]) => channel))
  return chooseRoute({ learned: { of: () => scores }, phones }, { app: used, routed, seed })
}

const phone = (address: string): Recipient => ({ kind: 'phone', address })
const email = (address: string): Recipient => ({ kind: 'email', address })

test.each([
  ['email', email('ada@Example.com'.toLowerCase()), 'example.com'],
  ['sms', phone('+4917012345678'), 'DE'],
  ['sms', phone('+12025550123'), 'US'],
  ['sms', phone('+14165550123'), 'CA'],
  ['whatsapp', phone('+881612345678'), '+881'],
  ['webhook', phone('+447400123456'), 'GB'],
  ['webhook', email('ada@example.org'), 'example.org'],
] as const)('over %s %j counts in its group: %s', (channel, recipient, group) => {
  expect(choose([[channel, recipient]]).chosen?.groups).toEqual({ [channel]: group })
})

test('the better channel comes first, and recipients are numbered by the new order', () => {
  const arm = (percent: number) => {
    return { good: 2 * percent, bad: 200 - 2 * percent, recent: percent / 100 }
  }
  const toldApart = (arms: Record<string, ReturnType<typeof arm>>) => ({ recipients: null, arms })
  const scores: Scores = {
    day: 1,
    groups: { DE: toldApart({ sms: arm(20) }), 'example.com': toldApart({ email: arm(90) }) },
  }
  const stops = [
    ['sms', phone('+4917012345678')],
    ['email', email('ada@example.com')],
  ] as [ChannelKind, Recipient][]
  const choices = times(1_000, (index) => choose(stops, { scores, seed: `seed ${index}` }))

  const [usual] = choices.filter(({ route }) => route[0]?.channel === 'email')
  expect(usual?.route).toEqual([
    { channel: 'email', recipient: 0 },
    { channel: 'sms', recipient: 1 },
  ])
  expect(usual?.recipients.map(({ kind }) => kind)).toEqual(['email', 'phone'])
  const others = choices.filter(({ route }) => route[0]?.channel === 'sms').length
  expect(others).toBeGreaterThan(0)
  expect(others).toBeLessThan(40)
  expect(choose(stops, { scores, seed: 'y' })).toEqual(choose(stops, { scores, seed: 'y' }))
})

test('channels that share a recipient still do', () => {
  const person = phone('+4917012345678')
  const routed = {
    route: [
      { channel: 'sms', recipient: 0 },
      { channel: 'whatsapp', recipient: 0 },
    ] as const,
    recipients: [person],
  }
  const app = appWith(['sms', 'whatsapp'])
  const ports = { learned: { of: () => null }, phones }
  const chosen = chooseRoute(ports, {
    app,
    routed: { ...routed, route: [...routed.route] },
    seed: 'x',
  })

  expect(chosen.recipients).toEqual([person])
  expect(chosen.route.map(({ recipient }) => recipient)).toEqual([0, 0])
})

test('an app that does not ask for it, and a test key, get no choice', () => {
  const stop = [['email', email('ada@example.com')]] as [ChannelKind, Recipient][]

  expect(choose(stop, { app: appWith(['email'], { policy: {} }) }).chosen).toBeNull()
  expect(choose([['inbox', email('ada@example.com')]]).chosen).toBeNull()
})
