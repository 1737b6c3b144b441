import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** The description of one setting, for reading, help, documentation and the dump. */
export type Option<T = unknown> = {
  section: Section
  /** One plain sentence. */
  description: string
  /** Completes "must be ...". */
  allowed: string
  default: T
  /** The default in help and documentation, where it is not the value itself. */
  defaultText?: string
  /** The name of the flag `--flag`, for settings that people type. */
  flag?: string
  /** Never shown; can also be read from the file that `<name>_FILE` names. */
  secret?: true
  /** Undefined for an invalid value. Never throws. */
  parse(text: string): T | undefined
}

export const sections = [
  'Server',
  'Dashboard',
  'Database',
  'Keys',
  'Access',
  'Codes',
  'Limits',
  'Retention',
  'Operations',
] as const
export type Section = (typeof sections)[number]

type About<T> = Pick<Option<T>, 'section' | 'description' | 'default'> &
  Partial<Pick<Option<T>, 'defaultText' | 'flag' | 'allowed'>>

export function integer(about: About<number> & { min: number; max: number }): Option<number> {
  const { min, max, ...rest } = about
  return {
    allowed: `a whole number from ${min} to ${max}`,
    ...rest,
    parse(text) {
      const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
      return value >= min && value <= max ? value : undefined
    },
  }
}

export function boolean(about: About<boolean>): Option<boolean> {
  return {
    allowed: 'true or false',
    ...about,
    parse: (text) => (/^(true|false)$/i.test(text) ? text.toLowerCase() === 'true' : undefined),
  }
}

export function choice<const T extends string>(
  about: About<NoInfer<T>> & { of: readonly T[] },
): Option<T> {
  const { of, ...rest } = about
  return {
    allowed: `one of ${of.join(', ')}`,
    ...rest,
    parse: (text) => of.find((value) => value === text),
  }
}

export function host(about: About<string>): Option<string> {
  return {
    allowed: 'an IP address or a host name',
    ...about,
    parse: (text) => (isHost(text) ? text : undefined),
  }
}

export type Listen = { host: string; port: number }

/** `host:port`, `[v6]:port`, or `off`, which is null. */
export function listen(about: About<Listen | null>): Option<Listen | null> {
  return {
    allowed: 'host:port, with an IPv6 address in brackets, or off',
    ...about,
    parse(text) {
      if (text === 'off') return null
      const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text)
      if (!match) return undefined
      const [, bracketed, plain, port] = match
      const isRight = bracketed ? isIP(bracketed) === 6 : isHost(plain ?? '')
      if (!isRight || Number(port) > 65_535) return undefined
      return { host: bracketed ?? plain ?? '', port: Number(port) }
    },
  }
}

/** Address ranges in canonical form; a single address is a range of one. */
export function ranges(about: About<string[]>): Option<string[]> {
  return {
    allowed: 'addresses or CIDR ranges separated by commas, none of which holds every address',
    ...about,
    parse(text) {
      const parsed = text.split(',').map((part) => readRange(part.trim()))
      return parsed.every((range) => range !== undefined) ? parsed : undefined
    },
  }
}

/** An http or https URL without query, fragment or credentials; answered without a last slash. */
export function url(about: About<string | null>): Option<string | null> {
  return {
    allowed: 'an http or https URL without user, query or fragment',
    ...about,
    parse(text) {
      const parsed = URL.canParse(text) ? new URL(text) : null
      if (!parsed || !/^https?:\/\/[^?#@\s\\]+$/i.test(text)) return undefined
      return parsed.href.replace(/\/+$/, '')
    },
  }
}

/** The https origin of a site, without a path; answered without a slash at the end. */
export function origin(about: About<string | null>): Option<string | null> {
  return {
    allowed: 'an https URL of a host, without a path',
    ...about,
    parse(text) {
      const parsed = /^https:\/\/[^/?#@\s\\]+\/?$/i.test(text) ? URL.parse(text) : null
      return parsed?.origin
    },
  }
}

export function path(about: About<string | null>): Option<string | null> {
  return {
    allowed: 'a path without control characters',
    ...about,
    parse: (text) => (/^\P{Cc}+$/u.test(text) ? text : undefined),
  }
}

export function secret(
  about: About<string | null> & { pattern: RegExp; allowed: string },
): Option<string | null> {
  const { pattern, ...rest } = about
  return {
    ...rest,
    secret: true,
    parse: (text) => (text.length <= 4096 && pattern.test(text) ? text : undefined),
  }
}

function isHost(text: string): boolean {
  if (isIP(text)) return !text.includes('%')
  // A name that ends in a number would be read as an unusual spelling of an IPv4 address.
  return (
    text.length <= 253 &&
    /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i.test(
      text,
    ) &&
    !/(^|\.)(\d+|0x[0-9a-f]*)$/i.test(text)
  )
}

function readRange(text: string): string | undefined {
  const match = /^([^/%]+)(?:\/([0-9]{1,3}))?$/.exec(text)
  const [, address = '', length] = match ?? []
  const family = isIP(address)
  if (!match || family === 0) return undefined
  const bits = family === 4 ? 32 : 128
  const prefix = length === undefined ? bits : Number(length)
  if (prefix < 1 || prefix > bits) return undefined
  const range = `${address}/${prefix}`
  const reader = family === 4 ? ipaddr.IPv4 : ipaddr.IPv6
  return `${reader.networkAddressFromCIDR(range)}/${prefix}`
}
