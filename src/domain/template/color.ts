/** Red, green and blue, each from 0 to 255. */
export type Color = readonly [number, number, number]

/** The least contrast of text that is easy to read (WCAG 2.2, success criterion 1.4.3). */
export const contrastMin = 4.5

export const white: Color = [255, 255, 255]
export const black: Color = [0, 0, 0]

/** The usual names of colours; others are not judged. */
const named = new Map([
  ['black', '000000'],
  ['silver', 'c0c0c0'],
  ['gray', '808080'],
  ['grey', '808080'],
  ['white', 'ffffff'],
  ['maroon', '800000'],
  ['red', 'ff0000'],
  ['purple', '800080'],
  ['fuchsia', 'ff00ff'],
  ['magenta', 'ff00ff'],
  ['green', '008000'],
  ['lime', '00ff00'],
  ['olive', '808000'],
  ['yellow', 'ffff00'],
  ['orange', 'ffa500'],
  ['navy', '000080'],
  ['blue', '0000ff'],
  ['teal', '008080'],
  ['aqua', '00ffff'],
  ['cyan', '00ffff'],
  ['whitesmoke', 'f5f5f5'],
  ['lightgray', 'd3d3d3'],
  ['lightgrey', 'd3d3d3'],
  ['darkgray', 'a9a9a9'],
])

/** A colour as CSS and HTML write it; null for one that is not opaque or not known here. */
export function readColor(text: string): Color | null {
  const word = text.trim().toLowerCase()
  const hex = named.get(word) ?? /^#([0-9a-f]{3}|[0-9a-f]{6})$/.exec(word)?.[1]
  if (hex !== undefined) return fromHex(hex)
  const parts = /^rgb\(\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})\s*\)$/.exec(word)
  if (!parts) return null
  const [red = 0, green = 0, blue = 0] = parts.slice(1).map((part) => Math.min(Number(part), 255))
  return [red, green, blue]
}

function fromHex(hex: string): Color {
  const long = hex.length === 3 ? hex.replace(/./g, '$&$&') : hex
  const value = Number.parseInt(long, 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

/** The contrast ratio of two colours, 1 to 21, as WCAG 2.2 defines it. */
export function contrast(a: Color, b: Color): number {
  const [lighter = 0, darker = 0] = [luminance(a), luminance(b)].sort((one, two) => two - one)
  return (lighter + 0.05) / (darker + 0.05)
}

/** Black or white, whichever is easier to read on this background: at least 4.58:1 on any. */
export function readableOn(background: Color): Color {
  return contrast(background, white) >= contrast(background, black) ? white : black
}

export function toHex(color: Color): string {
  return `#${color.map((part) => part.toString(16).padStart(2, '0')).join('')}`
}

function luminance(color: Color): number {
  const [red = 0, green = 0, blue = 0] = color.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}
