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

const folder = join(import.meta.dir, '../../dashboard')

const types = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
} as const

/**
 * Bundles src/dashboard. A server that runs from source does it on its first request; in the
 * executable, scripts/build.ts has put a module with the result in the place of this one.
 */
export async function bundledFiles(): Promise<BundledFile[]> {
  const files = (await built('main.tsx')).map(({ path, text }) => {
    return packed(path, path.endsWith('.css') ? 'css' : 'js', text)
  })
  const find = (start: string, end: string) => {
    return files.find(({ path }) => path.startsWith(start) && path.endsWith(end))?.path ?? ''
  }
  const [preview] = await built('preview.ts')
  const icon = await Bun.file(join(folder, 'icon.svg')).text()
  return [
    packed('/', 'html', shell(find('/ui/dashboard-', '.js'), find('/ui/', '.css'))),
    previewPage(preview?.text.trim() ?? ''),
    packed('/ui/icon.svg', 'svg', icon),
    ...files,
  ]
}

async function built(entry: string): Promise<{ path: string; text: string }[]> {
  const { outputs } = await Bun.build({
    entrypoints: [join(folder, entry)],
    target: 'browser',
    format: 'esm',
    splitting: true,
    minify: true,
    publicPath: '/ui/',
    naming: { entry: 'dashboard-[hash].[ext]', chunk: '[name]-[hash].[ext]' },
    define: { 'process.env.NODE_ENV': '"production"' },
    jsx: { runtime: 'automatic', importSource: 'preact', development: false },
  })
  return Promise.all(
    outputs.map(async (output) => {
      return { path: `/ui/${nameOf(output.path)}`, text: await output.text() }
    }),
  )
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** The page that every screen is drawn into. */
function shell(script: string, style: string): string {
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
<noscript>The dashboard of OtpMint needs JavaScript. The command otpmint does all of it without.</noscript>
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
