import { type Color, contrast, contrastMin, readColor } from './color.ts'

/** What is wrong with the HTML of a template; `at` is the place in it. */
export type MarkupFault = { at: number; reason: string }

/** Stands for a value in the HTML that is judged; no template may contain it. */
export const valueMark = '\uE000'
/** Stands for the code. */
export const codeMark = '\uE001'
/** Stands for a link to a page of this server. */
export const linkMark = '\uE002'

const marks = /[\uE000-\uE002]/

/** Elements of a mail: no forms, scripts, frames, media or vector graphics. */
const elements = new Set(
  [
    'html head meta title style body table caption colgroup col thead tbody tfoot tr td th',
    'a div p span br hr img h1 h2 h3 h4 h5 h6 b strong i em u s small big sub sup code pre kbd',
    'blockquote center font ul ol li dl dt dd abbr address bdi bdo wbr time',
    'main section header footer article',
  ].flatMap((line) => line.split(' ')),
)
const voidElements = new Set(['br', 'hr', 'img', 'col', 'meta', 'wbr'])

const attributes = new Set(
  [
    'style class id lang dir role title alt width height align valign bgcolor border color face',
    'cellpadding cellspacing colspan rowspan size scope span start name content charset',
    'http-equiv media type src href xmlns xml:lang xmlns:v xmlns:o datetime translate',
  ].flatMap((line) => line.split(' ')),
)
/** What may not be used and is named in a refusal; anything else is not repeated there. */
const refused = new Set(
  [
    'script form input button iframe link object embed svg video audio picture base area map',
    'srcset background action target rel onclick onload onerror',
  ].flatMap((line) => line.split(' ')),
)
/** The attributes whose value may hold names. */
const readAloud = new Set(['alt', 'title', 'aria-label'])

/** CSS that loads something, runs something, or hides such CSS behind escapes. */
const unsafeCss =
  /url\s*\(|image-set|src\s*\(|@import|@font-face|@namespace|expression\s*\(|behavior\s*:|-moz-binding|[\\<]|:\/\//i

export type Markup = {
  faults: MarkupFault[]
  /** The text that a reader sees. */
  visible: string
  /** The names of the attributes and elements that are used. */
  has(feature: string): boolean
}

/**
 * Reads the HTML of a mail. What is not known to be harmless is a fault, and so is what mail programs
 * might read differently, such as a tag that is not well-formed.
 */
export function readMarkup(html: string): Markup {
  const state: State = {
    html,
    faults: [],
    visible: '',
    open: [],
    conditional: false,
    used: new Set(),
  }
  let at = 0
  while (at < html.length) {
    const next = html.indexOf('<', at)
    const end = next < 0 ? html.length : next
    if (end > at) readText(state, at, end)
    at = next < 0 ? end : readAngle(state, next)
  }
  const { faults, visible, used } = state
  return { faults, visible, has: (feature) => used.has(feature) }
}

type Open = {
  element: string
  color: Color | null
  background: Color | null
  hidden: boolean
}
type State = {
  html: string
  faults: MarkupFault[]
  visible: string
  open: Open[]
  /** Within a comment that only Outlook reads. */
  conditional: boolean
  used: Set<string>
}

const faultsMax = 20
const openMax = 60

function fault({ faults }: State, at: number, reason: string): void {
  if (faults.length < faultsMax) faults.push({ at, reason })
}

function readText(state: State, from: number, to: number): void {
  const text = state.html.slice(from, to)
  const place = state.open.at(-1)
  if (linkIn(text)) fault(state, from, linkReason)
  if (text.includes(linkMark)) fault(state, from, linkPlaceReason)
  if (place?.hidden || state.conditional || text.trim() === '') return
  state.visible += text
  const { color = null, background = null } = place ?? {}
  if (!color || !background) return
  const ratio = contrast(color, background)
  if (ratio >= contrastMin) return
  const shown = `${Math.floor(ratio * 10) / 10}:1, and needs ${contrastMin}:1`
  fault(state, from + text.search(/\S/), `this text has a contrast of ${shown}`)
}

/** Reads what begins with `<`; returns the end of it. */
function readAngle(state: State, at: number): number {
  const { html } = state
  const conditional = match(/<!--\[if[^\]<>]{0,80}\]>(<!-->)?/y, html, at)
  if (conditional) {
    state.conditional = conditional[1] === undefined
    return at + conditional[0].length
  }
  const conditionalEnd = match(/(<!--)?<!\[endif\]-->/y, html, at)
  if (conditionalEnd) {
    state.conditional = false
    return at + conditionalEnd[0].length
  }
  if (html.startsWith('<!--', at)) return readComment(state, at)
  const doctype = match(/<!doctype\s[^<>]{1,200}>/iy, html, at)
  if (doctype) return at + doctype[0].length
  const close = match(/<\/([a-z][a-z0-9]*)\s*>/iy, html, at)
  if (close?.[1] !== undefined) {
    closeElement(state, close[1].toLowerCase())
    return at + close[0].length
  }
  return readTag(state, at)
}

function readComment(state: State, at: number): number {
  const end = state.html.indexOf('-->', at + 4)
  if (end >= 0) {
    if (marks.test(state.html.slice(at, end))) fault(state, at, 'a comment may not hold names')
    return end + 3
  }
  fault(state, at, 'this comment does not end')
  return state.html.length
}

function closeElement({ open }: State, element: string): void {
  const place = open.findLastIndex((one) => one.element === element)
  if (place >= 0) open.length = place
}

const attributePattern =
  /\s+([a-z][a-z0-9:-]*)(?:\s*=\s*(?:"([^"<]*)"|'([^'<]*)'|([^\s"'=<>`]+)))?/iy

function readTag(state: State, at: number): number {
  const { html, used } = state
  const name = match(/<([a-z][a-z0-9]*)/iy, html, at)
  const element = name?.[1]?.toLowerCase() ?? ''
  const given = new Map<string, string>()
  let end = at + (name?.[0].length ?? 0)
  for (;;) {
    const found = match(attributePattern, html, end)
    if (!found) break
    const attribute = (found[1] ?? '').toLowerCase()
    // Browsers take the first one, and others may not.
    if (given.has(attribute)) fault(state, end, 'an attribute may be given once in a tag')
    given.set(attribute, found[2] ?? found[3] ?? found[4] ?? '')
    if (marks.test(found[4] ?? '')) fault(state, end, 'a value of an attribute needs quotes')
    end += found[0].length
  }
  const closing = match(/\s*\/?>/y, html, end)
  if (!name || !closing) {
    fault(state, at, 'this < begins no well-formed tag: write &lt; for the sign itself')
    return at + 1
  }
  end += closing[0].length
  if (!elements.has(element)) {
    const which = refused.has(element) ? `<${element}>` : 'this element'
    fault(state, at, `${which} may not be in a mail`)
  }
  used.add(element)
  if (element === 'a' && given.get('href') !== linkMark) fault(state, at, linkPlaceReason)
  for (const [attribute, value] of given) readAttribute(state, at, { element, attribute, value })
  if (element === 'style' || element === 'title') return readRaw(state, element, end)
  if (voidElements.has(element)) return end
  if (state.open.length < openMax) state.open.push(opened(state, element, given))
  else fault(state, at, `elements may be nested ${openMax} deep`)
  return end
}

type Attribute = { element: string; attribute: string; value: string }

function readAttribute(state: State, at: number, { element, attribute, value }: Attribute): void {
  const isKnown = attributes.has(attribute) || /^aria-[a-z]{1,20}$/.test(attribute)
  if (!isKnown) {
    const which = refused.has(attribute) ? attribute : 'an attribute of this tag'
    fault(state, at, `${which} may not be in a mail`)
    return
  }
  state.used.add(attribute)
  if (attribute === 'href') {
    if (element !== 'a') fault(state, at, linkPlaceReason)
    return
  }
  if (value.includes(linkMark)) fault(state, at, linkPlaceReason)
  else if (marks.test(value) && !readAloud.has(attribute)) {
    fault(state, at, `names may stand in alt, title and aria-label, not in ${attribute}`)
  }
  if (attribute === 'src' && (element !== 'img' || value !== 'cid:logo')) {
    fault(state, at, 'an image comes with the mail: src may only be cid:logo')
  }
  if (attribute === 'charset' && !/^utf-?8$/i.test(value)) {
    fault(state, at, 'mails are sent in UTF-8: charset may only be utf-8')
  }
  if (attribute === 'http-equiv' && !/^(content-type|x-ua-compatible)$/i.test(value)) {
    fault(state, at, 'http-equiv may only be Content-Type or X-UA-Compatible')
  }
  if (attribute === 'style' && (value.includes('&') || unsafeCss.test(value))) {
    fault(state, at, cssReason)
  }
  if (readAloud.has(attribute) && linkIn(value)) fault(state, at, linkReason)
}

const cssReason = 'CSS may load nothing (url, @import, @font-face) and hold no \\ or &'
const linkReason = 'links are not sent: write the name of a place without http:// or www.'
const linkPlaceReason =
  'a link may only be <a href="{{page_link}}"> or <a href="{{report_link}}">, each within a section of its name'

/** A link as mail programs recognise one. */
export function linkIn(text: string): boolean {
  return /:\/\/|www\.|mailto:/i.test(text)
}

/** The content of an element that holds no elements. */
function readRaw(state: State, element: string, from: number): number {
  const closing = new RegExp(`</${element}`, 'gi')
  const end = match(closing, state.html, from)?.index
  if (end === undefined) {
    fault(state, from, `this <${element}> does not end`)
    return state.html.length
  }
  const content = state.html.slice(from, end)
  if (element === 'style') {
    if (marks.test(content)) fault(state, from, 'CSS may not hold names')
    if (unsafeCss.test(content)) fault(state, from, cssReason)
    if (/prefers-color-scheme/.test(content)) state.used.add('dark')
  } else if (linkIn(content)) fault(state, from, linkReason)
  else if (content.includes(linkMark)) fault(state, from, linkPlaceReason)
  return end
}

function opened({ open }: State, element: string, given: Map<string, string>): Open {
  const outer = open.at(-1)
  const style = declarations(given.get('style') ?? '')
  const background =
    style.get('background-color') ?? style.get('background') ?? given.get('bgcolor')
  const color = style.get('color') ?? given.get('color')
  // Without a colour of its own, a link has one of the mail program.
  const outerColor = element === 'a' ? null : (outer?.color ?? null)
  const isHidden = style.get('display') === 'none' || style.get('visibility') === 'hidden'
  return {
    element,
    color: color === undefined ? outerColor : readColor(color),
    background: background === undefined ? (outer?.background ?? null) : readColor(background),
    hidden: isHidden || element === 'head' || (outer?.hidden ?? false),
  }
}

/** The declarations of an inline style, by property. */
function declarations(style: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const part of style.split(';')) {
    const colon = part.indexOf(':')
    if (colon < 0) continue
    const value = part.slice(colon + 1).replace(/!\s*important/i, '')
    found.set(part.slice(0, colon).trim().toLowerCase(), value.trim().toLowerCase())
  }
  return found
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}
