import type { presentLive, presentOverview } from '../../../present/overview.ts'

export type OverviewAnswer = ReturnType<typeof presentOverview>
export type Shown = OverviewAnswer['total']
export type Bucket = OverviewAnswer['series'][number]
export type Group = NonNullable<OverviewAnswer['by'][string]>[number]
export type LiveAnswer = ReturnType<typeof presentLive>
export type Alarm = LiveAnswer['alarms'][number]
export type EndpointFlow = LiveAnswer['endpoints'][number]

export const ranges = ['hour', 'day', 'week', 'month', 'year'] as const
export type Range = (typeof ranges)[number]
