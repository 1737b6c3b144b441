import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'

/** One file of the dashboard, compressed; what is served uncompressed is unpacked from it. */
export type BundledFile = {
  /** The path that it is served at. */
  path: string
  type: string
  gzip: Uint8Array
  brotli: Uint8Array
  /** Of the content, whatever its encoding. */
  hash: string
  /** The one inline script that its policy allows, as `sha256-…`; null for none. */
  script: string | null
}

type Output = {
  path: string
  /** False for a part of it, which is loaded by it. */
  isEntry: boolean
  text: string
}

const folder = join(import.meta.dir, '../../dashboard')

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const

/** What a browser without JavaScript shows. */
const withoutScript =
  'The dashboard of OtpMint needs JavaScript. The command otpmint does all of it without.'
const inboxWithoutScript =
  'This page needs JavaScript. <a href="/dev/inbox.json">Read the messages as JSON.</a>'

/**
 * Bundles src/dashboard. A server that runs from source does it on its first request; in the
 * executable, scripts/build.ts has put a module with the result in the place of this one.
 */
export async function bundledFiles(): Promise<BundledFile[]> {
  const outputs = await built('main.tsx')
  const files = outputs.map(({ path, text }) => {
    return packed(path, path.endsWith('.css') ? 'css' : 'js', text)
  })
  const script = outputs.find(({ isEntry }) => isEntry)?.path ?? ''
  const style = outputs.find(({ path }) => path.endsWith('.css'))?.path ?? ''
  const [preview] = await built('preview.ts')
  const icon = await Bun.file(join(folder, 'icon.svg')).text()
  return [
    packed('/', 'html', shell({ script, style, without: withoutScript })),
    packed('/dev/inbox', 'html', shell({ script, style, without: inboxWithoutScript })),
    previewPage(preview?.text.trim() ?? ''),
    packed('/ui/icon.svg', 'svg', icon),
    ...files,
  ]
}

async function built(entry: string): Promise<Output[]> {
  const { outputs } = await Bun.build({
    entrypoints: [join(folder, entry)],
    target: 'browser',
    format: 'esm',
    splitting: true,
    minify: true,
    publicPath: '/ui/',
    naming: { entry: '[name]-[hash].[ext]', chunk: '[name]-[hash].[ext]' },
    define: { 'process.env.NODE_ENV': '"production"' },
    jsx: { runtime: 'automatic', importSource: 'preact', development: false },
  })
  return Promise.all(
    outputs.map(async (output) => {
      const name = output.path.slice(output.path.lastIndexOf('/') + 1)
      const isEntry = output.kind === 'entry-point'
      return { path: `/ui/${name}`, isEntry, text: await output.text() }
    }),
  )
}

/** The page that a script draws into. */
function shell({ script, style, without }: { script: string; style: string; without: string }) {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>OtpMint</title>
<link rel="icon" href="/ui/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="${style}">
<script type="module" src="${script}"></script>
</head>
<body>
<noscript>${without}</noscript>
</body>
</html>
`
}

/**
 * The page in the frame of a preview, with src/dashboard/preview.ts in it: the origin of the frame
 * is nobody's, so it may not load a script from here.
 */
function previewPage(code: string): BundledFile {
  const text = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Preview</title>
<script type="module">${code}</script>
</head>
<body></body>
</html>
`
  const script = `sha256-${new Bun.CryptoHasher('sha256').update(code).digest('base64')}`
  return { ...packed('/ui/preview.html', 'html', text), script }
}

function packed(path: string, type: keyof typeof types, text: string): BundledFile {
  const bytes = new TextEncoder().encode(text)
  return {
    path,
    type: types[type],
    gzip: Bun.gzipSync(bytes, { level: 9 }),
    brotli: brotliCompressSync(bytes),
    hash: new Bun.CryptoHasher('sha256').update(text).digest('base64url').slice(0, 22),
    script: null,
  }
}
