/** A line of a message without its end (RFC 5322 section 2.1.1, RFC 2045 section 6.7). */
const lineMax = 76

/**
 * A text part with its headers, as it is when all of it is ASCII in short lines, else in
 * quoted-printable. No line end comes into a text of `whole`, so that these are found again.
 */
export function textPart(type: 'text/plain' | 'text/html', text: string, whole: string[]): string {
  const lines = text.split('\n')
  const isPlain = lines.every((line) => line.length <= lineMax && /^[\x20-\x7e]*(?<! )$/.test(line))
  const body = isPlain ? lines.join('\r\n') : quotedPrintable(lines, whole)
  const encoding = isPlain ? '7bit' : 'quoted-printable'
  return (
    `Content-Type: ${type}; charset=utf-8\r\n` +
    `Content-Transfer-Encoding: ${encoding}\r\n\r\n${body}\r\n`
  )
}

function quotedPrintable(lines: string[], whole: string[]): string {
  const words = wordPattern(whole)
  return lines.map((line) => encodeLine(line, words)).join('\r\n')
}

/** Matches the texts of `whole` that a line end could come into, the longest first. */
function wordPattern(whole: string[]): RegExp | null {
  const longestFirst = whole.filter((text) => text.length > 1).sort((a, b) => b.length - a.length)
  const words = longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return words.length === 0 ? null : new RegExp(`(${words.join('|')})`)
}

function encodeLine(line: string, words: RegExp | null): string {
  // A space at the end could get lost.
  const last = line.endsWith(' ') ? '=20' : ''
  const text = last ? line.slice(0, -1) : line
  const encoded = encodeText(text) + last
  if (encoded.length <= lineMax) return encoded
  let wrapped = ''
  let length = 0
  const put = (piece: string, isWord: boolean) => {
    let rest = piece
    while (length + rest.length >= lineMax) {
      const cut = isWord && length > 0 ? 0 : wholeBytes(rest, lineMax - 1 - length)
      wrapped += `${rest.slice(0, cut)}=\r\n`
      rest = rest.slice(cut)
      length = 0
    }
    wrapped += rest
    length += rest.length
  }
  // Every other piece is one of the words.
  for (const [index, piece] of (words ? text.split(words) : [text]).entries()) {
    const isWord = index % 2 === 1
    put(isWord ? piece : encodeText(piece), isWord)
  }
  if (last) put(last, true)
  return wrapped
}

/** The greatest length up to `length` that cuts no `=XX`. */
function wholeBytes(encoded: string, length: number): number {
  const equals = encoded.lastIndexOf('=', length - 1)
  return equals >= 0 && equals > length - 3 ? equals : length
}

function encodeText(text: string): string {
  return text.replace(/[^\x20-\x3c\x3e-\x7e]+/g, inHex)
}

const hex = Array.from({ length: 256 }, (_, byte) => {
  return `=${byte.toString(16).padStart(2, '0').toUpperCase()}`
})

function inHex(text: string): string {
  let encoded = ''
  for (const byte of Buffer.from(text)) encoded += hex[byte]
  return encoded
}

/** Bytes of text in one encoded word, which has at most 75 characters (RFC 2047 section 2). */
const wordBytesMax = 45

/**
 * A subject as the value of its header, folded. Where it is not ASCII, a text of `whole` is a word of
 * its own, so that it is found again; readers join encoded words without the space between them.
 */
export function encodeSubject(subject: string, whole: string[]): string {
  if (/^[\x20-\x7e]*$/.test(subject)) return subject.replace(/(.{40,60}) (?=\S)/g, '$1\r\n ')
  const words: string[] = []
  let rest = subject
  const first = whole.find((text) => subject.startsWith(`${text} `))
  if (first !== undefined) {
    words.push(first)
    rest = subject.slice(first.length + 1)
  }
  for (const text of chunks(rest, whole)) {
    const isWhole = whole.includes(text)
    words.push(
      isWhole ? `=?utf-8?Q?${text}?=` : `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`,
    )
  }
  return words.join('\r\n ')
}

/** Cuts a text at those of `whole`, and what is between them into short pieces. */
function chunks(text: string, whole: string[]): string[] {
  const words = wordPattern(whole)
  return (words ? text.split(words) : [text]).flatMap((piece, index) => {
    return index % 2 === 1 ? [piece] : shortPieces(piece)
  })
}

/** Pieces of at most `wordBytesMax` bytes, which cut no character. */
function shortPieces(text: string): string[] {
  const pieces: string[] = []
  let piece = ''
  for (const character of text) {
    if (Buffer.byteLength(piece + character) > wordBytesMax) {
      pieces.push(piece)
      piece = ''
    }
    piece += character
  }
  return piece === '' ? pieces : [...pieces, piece]
}
