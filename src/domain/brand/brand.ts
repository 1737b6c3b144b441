import type { FieldError } from '../problem.ts'
import { collected } from '../problem.ts'
import { readColor, toHex } from '../template/color.ts'
import { readRecipient } from '../verification/recipient.ts'
import { type Image, readImage } from './image.ts'

/** What the built-in messages of an app show of it, besides its name. */
export type Brand = {
  /** `#rrggbb`: the background of the code, which is black or white on it. */
  color: string | null
  /** An address that a person may write to. */
  support: string | null
  /** The bytes are read by `id` where they are needed. */
  logo: LogoRef | null
}

/** `id` is a hash of the bytes. */
export type LogoRef = Image & { id: string }

/** A logo with its bytes. */
export type Logo = LogoRef & { bytes: Uint8Array }

/** The largest logo, in bytes. */
export const logoBytesMax = 20_000
/** Its largest width and height, in pixels. */
export const logoSideMax = 1000

export const noBrand: Brand = { color: null, support: null, logo: null }

/** The fields of a brand: wire name, whether it may be null, description. */
export const brandFields = {
  color: { says: 'Behind the code, like `#0a5c36`; the code is black or white on it.' },
  support: { says: 'An address that a person may write to, shown at the end of the mail.' },
  logo: {
    says: 'A PNG or JPEG of up to 20 kB and 1000 by 1000 pixels, in base64; sent with the mail.',
    file: 'A PNG or JPEG of up to 20 kB and 1000 by 1000 pixels; sent with the mail.',
  },
} as const

/** A brand as received, not validated; null unsets a field. */
export type BrandInput = { [Name in keyof Brand]?: unknown }

/** What a change of a brand stores; `logo` only where it changes. */
export type BrandChange = { brand: Brand; logo?: Logo | null }

/** Merges `input` into `current`; adds mistakes by name, without values. */
export function readBrand(
  current: Brand | null,
  input: BrandInput,
  mistakes: FieldError[],
): BrandChange {
  const brand = { ...(current ?? noBrand) }
  if (input.color !== undefined) brand.color = readBrandColor(input.color, mistakes)
  if (input.support !== undefined) brand.support = readSupport(input.support, mistakes)
  if (input.logo === undefined) return { brand }
  const logo = input.logo === null ? null : readLogo(input.logo, mistakes)
  brand.logo = logo && { id: logo.id, type: logo.type, width: logo.width, height: logo.height }
  return { brand, logo }
}

function readBrandColor(value: unknown, mistakes: FieldError[]): string | null {
  if (value === null) return null
  const color = typeof value === 'string' && /^#/.test(value) ? readColor(value) : null
  if (color) return toHex(color)
  mistakes.push({ field: 'color', reason: 'must be a colour like #0a5c36' })
  return null
}

function readSupport(value: unknown, mistakes: FieldError[]): string | null {
  if (value === null) return null
  return collected(mistakes, () => readRecipient(['email'], value, 'support').address)
}

function readLogo(value: unknown, mistakes: FieldError[]): Logo | null {
  const refuse = (reason: string) => {
    mistakes.push({ field: 'logo', reason })
    return null
  }
  const isBase64 = typeof value === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(value)
  if (!isBase64) return refuse('must be a picture in base64')
  const bytes = new Uint8Array(Buffer.from(value, 'base64'))
  if (bytes.length > logoBytesMax) {
    return refuse(`must be no more than ${logoBytesMax.toLocaleString('en')} bytes`)
  }
  const image = readImage(bytes)
  if (!image) return refuse('must be a whole PNG or JPEG')
  const { width, height } = image
  const isFitting = Math.min(width, height) >= 1 && Math.max(width, height) <= logoSideMax
  if (!isFitting) return refuse(`must be 1 to ${logoSideMax} pixels wide and high`)
  return { ...image, id: idOf(bytes), bytes }
}

function idOf(bytes: Uint8Array): string {
  return new Bun.CryptoHasher('sha256').update(bytes).digest('hex').slice(0, 32)
}
