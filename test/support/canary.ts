/** Collects secrets and all output, and finds the secrets that appear in the output. */
export type Canary = {
  /** `name` stands for the secret in a hit, which never contains the secret itself. */
  guard(name: string, secret: string | Uint8Array): void
  /** Adds output or a file's content; `allowed` names the secrets that may appear in it. */
  see(where: string, what: string | Uint8Array, allowed?: string[]): void
  /** Every secret that was found and where: `password in stdout`. */
  hits(): string[]
  /** How many texts and bytes were looked through. */
  seen(): { texts: number; bytes: number }
}

/** Also searches what was added before the secret was. */
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

/** The secret as it is, in base64 at each alignment, in hexadecimal, in a URL and in UTF-16. */
function formsOf(secret: Buffer): string[] {
  if (secret.length < 6) throw new Error('too short: it would be found by chance')
  const text = secret.toString('latin1')
  const percent = encodeURIComponent(text)
  const spaced = /^\d+$/.test(text) ? text.replace(/(\d{3})(?=\d)/g, '$1 ') : text
  const base64 = [0, 1, 2].map((shift) => {
    // Characters that also encode bits of neighbouring bytes are left out.
    const whole = Buffer.concat([Buffer.alloc(shift), secret]).toString('base64url')
    return whole.slice(shift === 0 ? 0 : shift + 1, Math.floor(((shift + secret.length) * 8) / 6))
  })
  const standard = base64.map((form) => form.replaceAll('-', '+').replaceAll('_', '/'))
  const wide = Buffer.from(text, 'utf16le').toString('latin1')
  const forms = [text, percent, spaced, ...base64, ...standard, secret.toString('hex'), wide]
  return [...new Set(forms.map((form) => form.toLowerCase()))]
}
