import { expect, test } from 'bun:test'
import { brotliCompressSync, brotliDecompressSync } from 'node:zlib'
import { createAssets } from '../../../src/http/dashboard/assets.ts'
import { bundledFiles } from '../../../src/http/dashboard/bundle.ts'

const firstViewMax = 40_000
const allMax = 80_000

const files = await bundledFiles()
const assets = createAssets()
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** The files that a path loads by itself: those named in it, and what they import at once. */
function loadedWith(path: string, seen = new Set<string>()): Set<string> {
  const file = files.find((each) => each.path === path)
  if (!file || seen.has(path)) return seen
  seen.add(path)
  const content = text(Bun.gunzipSync(file.gzip as Uint8Array<ArrayBuffer>))
  const names =
    path === '/'
      ? content.matchAll(/(?:href|src)="([^"]+)"/g)
      : content.matchAll(/(?:\bfrom|\bimport)\s*"([^"]+)"/g)
  for (const [, name = ''] of names) {
    loadedWith(new URL(name, `http://localhost${path}`).pathname, seen)
  }
  return seen
}

function sizeOf(paths: Iterable<string>, compress: (gzip: Uint8Array) => Uint8Array): number {
  const wanted = new Set(paths)
  return files.reduce((sum, { path, gzip }) => {
    return sum + (wanted.has(path) ? compress(gzip).length : 0)
  }, 0)
}

const asGzip = (gzip: Uint8Array) => gzip
const asBrotli = (gzip: Uint8Array) =>
  brotliCompressSync(Bun.gunzipSync(gzip as Uint8Array<ArrayBuffer>))

test('all files are under 80 kB in Brotli, and what the first view loads under 40 kB also in gzip', () => {
  const frame = loadedWith('/')
  expect(frame.size).toBeGreaterThanOrEqual(4)
  const overview = files.find(({ path }) => /^\/ui\/overview-/.test(path))?.path ?? ''
  const paths = files.map(({ path }) => path)
  const firstView = loadedWith(overview, frame)

  expect(overview).not.toBe('')
  expect(sizeOf(firstView, asGzip)).toBeGreaterThan(5000)
  expect(sizeOf(firstView, asGzip)).toBeLessThan(firstViewMax)
  expect(sizeOf(paths, asBrotli)).toBeGreaterThan(sizeOf(firstView, asBrotli))
  expect(sizeOf(paths, asBrotli)).toBeLessThan(allMax)
})

test('only who reads German loads the German sentences for what the server refuses', () => {
  const german = files.map(({ path }) => path).filter((path) => path.startsWith('/ui/german-'))
  expect(german).toHaveLength(1)
  for (const { path } of files) {
    if (path !== german[0]) expect(loadedWith(path)).not.toContain(german[0])
  }
})

test('a file comes in the smallest encoding that the browser takes, each with an ETag of its own', async () => {
  const [brotli, gzip, plain, refused] = await Promise.all(
    ['gzip, deflate, br', 'gzip', null, 'br;q=0, gzip;q=0.0'].map((accepted) => {
      return assets.find('/', accepted)
    }),
  )

  expect([brotli, gzip, plain, refused].map((each) => each?.encoding)).toEqual([
    'br',
    'gzip',
    null,
    null,
  ])
  expect(text(brotliDecompressSync(brotli?.body ?? new Uint8Array()))).toStartWith(
    '<!doctype html>',
  )
  expect(Bun.gunzipSync(gzip?.body as Uint8Array<ArrayBuffer>)).toEqual(
    plain?.body as Uint8Array<ArrayBuffer>,
  )
  expect(new Set([brotli, gzip, plain].map((each) => each?.etag)).size).toBe(3)
})

test('only files whose name changes with their content are immutable', async () => {
  const found = await Promise.all(files.map(({ path }) => assets.find(path, 'gzip')))
  const mutable = files.filter((_, at) => !found[at]?.immutable).map(({ path }) => path)

  expect(mutable).toEqual(['/', '/dev/inbox', '/ui/preview.html', '/ui/icon.svg'])
})

test('a path that is no file of the dashboard finds nothing', async () => {
  const paths = [
    '/ui/',
    '/ui',
    '/ui/main.js',
    '/ui/../package.json',
    '/ui/%2e%2e/bundle.ts',
    '//ui/icon.svg',
    '',
  ]
  const found = await Promise.all(paths.map((path) => assets.find(path, null)))

  expect(found).toEqual(paths.map(() => null))
})

test('no policy allows what is unsafe, but for styles in the frame of a message, which runs alone', async () => {
  for (const { path } of files) {
    const policy = (await assets.find(path, null))?.policy ?? ''
    expect(policy).toContain("default-src 'none'")
    if (path === '/ui/preview.html') {
      expect(policy).toStartWith('sandbox allow-scripts;')
      expect(policy).toMatch(
        /script-src 'sha256-[\w+/]{43}='; style-src 'unsafe-inline'; img-src data:/,
      )
      expect(policy).not.toContain('connect-src')
    } else {
      expect(policy).not.toContain('unsafe')
    }
  }
})
