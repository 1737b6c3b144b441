/** Secrets that must stand nowhere, and everything that was seen. */
export type Canary = {
  /** `name` says in a hit what it was; never the secret itself. */
  guard(name: string, secret: string | Uint8Array): void
  /** Something that left the process or lies on its disk; `allowed` are names of secrets. */
  see(where: string, what: string | Uint8Array, allowed?: string[]): void
  /** Everything that stands where it must not: `password in stdout`. */
  hits(): string[]
  /** How many texts and bytes were looked through. */
  seen(): { texts: number; bytes: number }
}

/** What was seen before a secret was known is looked through as well. */
export function createCanary(): Canary {
  const secrets: { name: string; forms: string[] }[] = []
  const texts: { where: string; text: string; allowed: string[] }[] = []
  let bytes = 0
  return {
    guard: (name, secret) => void secrets.push({ name, forms: formsOf(Buffer.from(secret)) }),
    see(where, what, allowed = []) {
      const found = Buffer.from(what)
      bytes += found.length
      texts.push({ where, text: found.toString('latin1').toLowerCase(), allowed })
    },
    hits: () =>
      secrets.flatMap(({ name, forms }) => {
        const places = texts.filter(({ text, allowed }) => {
          return !allowed.includes(name) && forms.some((form) => text.includes(form))
        })
        return [...new Set(places.map(({ where }) => `${name} in ${where}`))]
      }),
    seen: () => ({ texts: texts.length, bytes }),
  }
}

/** As it is, in base64 at each of three alignments, in hexadecimal, in a URL, in UTF-16. */
function formsOf(secret: Buffer): string[] {
  if (secret.length < 6) throw new Error('too short to be told from chance')
  const text = secret.toString('latin1')
  const percent = encodeURIComponent(text)
  const spaced = /^\d+$/.test(text) ? text.replace(/(\d{3})(?=\d)/g, '$1 ') : text
  const base64 = [0, 1, 2].map((shift) => {
    // What shares a character with its neighbours is left out.
    const whole = Buffer.concat([Buffer.alloc(shift), secret]).toString('base64url')
    return whole.slice(shift === 0 ? 0 : shift + 1, Math.floor(((shift + secret.length) * 8) / 6))
  })
  const standard = base64.map((form) => form.replaceAll('-', '+').replaceAll('_', '/'))
  const wide = Buffer.from(text, 'utf16le').toString('latin1')
  const forms = [text, percent, spaced, ...base64, ...standard, secret.toString('hex'), wide]
  return [...new Set(forms.map((form) => form.toLowerCase()))]
}
