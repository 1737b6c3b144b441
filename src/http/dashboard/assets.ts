import { type BundledFile, bundledFiles } from './bundle.ts'

/** A file of the dashboard as one browser gets it. */
export type Asset = {
  body: Uint8Array
  type: string
  /** With quotes, and different for each encoding, as RFC 9110 asks for. */
  etag: string
  /** Its name changes with its content, so it may be kept for a year. */
  immutable: boolean
  encoding: 'br' | 'gzip' | null
  /** The Content-Security-Policy. */
  policy: string
}

/** Own scripts, styles, data and frames only; never in a frame. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
  "img-src 'self' data:; frame-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'"

/**
 * The policy of the frame that shows an edited message: styles and data of its own, our one script,
 * and nothing that loads or sends. `sandbox` gives it an origin of its own, so that it cannot read
 * anything of the dashboard.
 */
function framePolicy(script: string): string {
  return (
    `sandbox allow-scripts; default-src 'none'; script-src '${script}'; ` +
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'self'"
  )
}

/**
 * Finds the file of a path, encoded as the browser takes it; null where there is none. Bundling
 * is done once.
 */
export function createAssets() {
  let files: Promise<Map<string, BundledFile>> | null = null

  async function find(path: string, acceptEncoding: string | null): Promise<Asset | null> {
    files ??= bundledFiles().then((all) => new Map(all.map((file) => [file.path, file])))
    const file = (await files).get(path)
    if (!file) return null
    const encoding = encodingFor(acceptEncoding ?? '')
    return {
      body: bodyOf(file, encoding),
      type: file.type,
      etag: `"${file.hash}${encoding === null ? '' : `-${encoding}`}"`,
      immutable: hashedName.test(path),
      encoding,
      policy: file.script === null ? policy : framePolicy(file.script),
    }
  }
  return { find }
}

const hashedName = /-[0-9a-z]{8}\.(js|css)$/

/** The smaller encoding that is accepted; one with `q=0` is refused. */
function encodingFor(accepted: string): Asset['encoding'] {
  const refused = /;\s*q=0(\.0*)?\s*$/
  const names = accepted
    .toLowerCase()
    .split(',')
    .filter((each) => !refused.test(each))
    .map((each) => each.split(';')[0]?.trim())
  if (names.includes('br')) return 'br'
  return names.includes('gzip') ? 'gzip' : null
}

function bodyOf({ gzip, brotli }: BundledFile, encoding: Asset['encoding']): Uint8Array {
  if (encoding === 'br') return brotli
  if (encoding === 'gzip') return gzip
  return Bun.gunzipSync(gzip as Uint8Array<ArrayBuffer>)
}
