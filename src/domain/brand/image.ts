/** A picture as mails may show it: its kind and its size in pixels. */
export type Image = { type: ImageType; width: number; height: number }
export type ImageType = 'image/png' | 'image/jpeg'

/**
 * Reads the kind and the size of a PNG or a JPEG from its bytes, which must be whole: nothing is
 * missing at the end and nothing follows it. Null for anything else.
 */
export function readImage(bytes: Uint8Array): Image | null {
  return readPng(bytes) ?? readJpeg(bytes)
}

const pngSignature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

/** Walks the chunks from IHDR to IEND (PNG, third edition, section 5). */
function readPng(bytes: Uint8Array): Image | null {
  if (bytes.length < 33 || pngSignature.some((byte, index) => bytes[index] !== byte)) return null
  if (chunkName(bytes, 8) !== 'IHDR') return null
  let at = 8
  for (;;) {
    if (at + 12 > bytes.length) return null
    const end = at + 12 + uint32(bytes, at)
    if (chunkName(bytes, at) === 'IEND') {
      if (end !== bytes.length) return null
      return { type: 'image/png', width: uint32(bytes, 16), height: uint32(bytes, 20) }
    }
    at = end
  }
}

/** Walks the segments up to the frame header, which has the size (ITU-T T.81, section B.2). */
function readJpeg(bytes: Uint8Array): Image | null {
  const isWhole = uint16(bytes, 0) === 0xffd8 && uint16(bytes, bytes.length - 2) === 0xffd9
  if (!isWhole) return null
  let at = 2
  while (at + 9 <= bytes.length) {
    const marker = uint16(bytes, at)
    if (isFrameHeader(marker)) {
      return { type: 'image/jpeg', width: uint16(bytes, at + 7), height: uint16(bytes, at + 5) }
    }
    const length = uint16(bytes, at + 2)
    if (marker < 0xffc0 || marker === 0xffda || length < 2) return null
    at += 2 + length
  }
  return null
}

/** SOF0 to SOF15, among which DHT, JPG and DAC have their numbers. */
function isFrameHeader(marker: number): boolean {
  if (marker < 0xffc0 || marker > 0xffcf) return false
  return ![0xffc4, 0xffc8, 0xffcc].includes(marker)
}

function chunkName(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at + 4, at + 8))
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}

function uint32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) * 65_536 + uint16(bytes, at + 2)
}
