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
  const units = unitPattern(whole)
  return lines.map((line) => encodeLine(line, units)).join('\r\n')
}

/** Matches what is encoded together: a text of `whole`, or one character. */
function unitPattern(whole: string[]): RegExp {
  const longestFirst = whole.filter((text) => text.length > 1).sort((a, b) => b.length - a.length)
  const words = longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp([...words, '[^]'].join('|'), 'gu')
}

function encodeLine(line: string, units: RegExp): string {
  let encoded = ''
  let length = 0
  for (const { 0: unit, index } of line.matchAll(units)) {
    const isLast = index + unit.length === line.length
    const text = unit.replace(/[^\x20-\x3c\x3e-\x7e]/gu, inHex)
    // A space at the end of a line would be lost.
    const piece = isLast ? text.replace(/ $/, '=20') : text
    if (length + piece.length > lineMax - 1) {
      encoded += '=\r\n'
      length = 0
    }
    encoded += piece
    length += piece.length
  }
  return encoded
}

function inHex(character: string): string {
  let hex = ''
  for (const byte of Buffer.from(character)) hex += `=${byte.toString(16).padStart(2, '0')}`
  return hex.toUpperCase()
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
  const found: string[] = []
  let piece = ''
  const end = () => {
    if (piece !== '') found.push(piece)
    piece = ''
  }
  for (const [unit] of text.matchAll(unitPattern(whole))) {
    const isWhole = whole.includes(unit) && unit.length > 1
    if (isWhole || Buffer.byteLength(piece + unit) > wordBytesMax) end()
    if (isWhole) found.push(unit)
    else piece += unit
  }
  end()
  return found
}
