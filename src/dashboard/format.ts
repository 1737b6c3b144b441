import { locale } from './preferences.ts'
import { now } from './system.ts'

/** Dates and numbers as the reader writes them. */

export function dateTime(iso: string): string {
  return format(iso, { dateStyle: 'medium', timeStyle: 'short' })
}

/** With seconds and the time zone, where the exact moment matters. */
export function exactTime(iso: string): string {
  return format(iso, { dateStyle: 'full', timeStyle: 'long' })
}

export function clockTime(iso: string): string {
  return format(iso, { timeStyle: 'medium' })
}

/** Hours and minutes. */
export function shortTime(iso: string): string {
  return format(iso, { timeStyle: 'short' })
}

/** A day of UTC, as figures are counted by. */
export function shortDay(iso: string, { year = false } = {}): string {
  const options = { day: 'numeric', month: 'short', timeZone: 'UTC' } as const
  return format(iso, year ? { ...options, year: 'numeric' } : options)
}

export function date(iso: string): string {
  return format(iso, { dateStyle: 'medium' })
}

export function number(value: number, options: Intl.NumberFormatOptions = {}): string {
  return new Intl.NumberFormat(locale(), options).format(value)
}

/** 0.25 as `25 %`. */
export function percent(share: number, digits = 1): string {
  return number(share, { style: 'percent', maximumFractionDigits: digits })
}

/** Milliseconds in the largest unit that fits: `1.3 s`, `4 min`. */
export function duration(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
    ['millisecond', 1],
  ] as const
  const [unit, size] = units.find(([, size]) => ms >= size) ?? ['millisecond', 1]
  return number(ms / size, {
    style: 'unit',
    unit,
    unitDisplay: 'short',
    maximumFractionDigits: unit === 'millisecond' ? 0 : 1,
  })
}

/** Kilobytes, megabytes and so on, by thousands. */
export function bytes(count: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']
  let value = count
  let at = 0
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000
    at++
  }
  return number(value, {
    style: 'unit',
    unit: units[at] ?? 'byte',
    unitDisplay: 'short',
    maximumFractionDigits: 1,
  })
}

/** How long ago or in how long: `5 minutes ago`. */
export function relative(iso: string): string {
  const seconds = (Date.parse(iso) - now()) / 1000
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ] as const
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1]
  return new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' }).format(
    Math.round(seconds / size),
    unit,
  )
}

function format(iso: string, options: Intl.DateTimeFormatOptions): string {
  return new Intl.DateTimeFormat(locale(), options).format(Date.parse(iso))
}
