/** The order matters: most browsers also name those that they are like. */
const browsers: [name: string, sign: RegExp][] = [
  ['Edge', /\bEdg(e|A|iOS)?\//],
  ['Opera', /\bOPR\//],
  ['Samsung Internet', /\bSamsungBrowser\//],
  ['Firefox', /\b(Firefox|FxiOS)\//],
  ['Chrome', /\b(Chrome|Chromium|CriOS|HeadlessChrome)\//],
  ['Safari', /\bSafari\//],
]
const systems: [name: string, sign: RegExp][] = [
  ['Android', /\bAndroid\b/],
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Windows', /\bWindows\b/],
  ['macOS', /\bMac OS X\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Linux', /\bLinux\b/],
]

/** What a browser calls itself, in words of ours only: `Firefox on Linux`. */
export function browserOf({ headers }: Request): string {
  const agent = (headers.get('user-agent') ?? '').slice(0, 500)
  const found = (list: [string, RegExp][]) => list.find(([, sign]) => sign.test(agent))?.[0]
  const [browser, system] = [found(browsers) ?? 'another program', found(systems)]
  return system === undefined ? browser : `${browser} on ${system}`
}
