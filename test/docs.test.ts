import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dir, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'))

test('every link between the pages has a target that exists', () => {
  const dead = pages.flatMap((page) => {
    const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)]
    return links
      .map(([, target = '']) => target)
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page} -> ${target}`)
  })
  expect(dead).toEqual([])
})

test('every file that a page names in the source exists', () => {
  const missing = pages.flatMap((page) => {
    const named = [...read(page).matchAll(/`((?:src|test|scripts|deploy|bench|docs)\/[\w./-]+)`/g)]
    return named
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${page} names ${path}`)
  })
  expect(missing).toEqual([])
})

test('ARCHITECTURE traces five operations through files that exist, and counts them', () => {
  const text = read('ARCHITECTURE.md').split('## Five traces')[1]?.split('\n## ')[0] ?? ''
  const traces = text.split(/\n\*\*/).slice(1)
  expect(traces.length).toBe(5)
  for (const trace of traces) {
    const files = [...trace.matchAll(/`(src\/[\w./-]+\.ts)`/g)].map(([, path = '']) => path)
    expect(new Set(files).size).toBe(Number(/\((\d+) files\)/.exec(trace)?.[1]))
    for (const file of files) expect([file, existsSync(join(root, file))]).toEqual([file, true])
  }
  const check = read('src/domain/verification/check.ts')
  expect(check).toContain('chargeAttempt')
  expect(read('src/http/v1/verifications.ts')).toContain('domain/verification/check.ts')
  expect(read('src/store/sqlite/verifications.ts')).toContain('chargeAttempt')
})

test('the README begins with the quick start, names scripts that exist and stays short', () => {
  const text = read('README.md')
  expect(text.split('\n').length).toBeLessThanOrEqual(150)
  expect(text.match(/^## .*$/m)?.[0]).toBe('## Start in 60 seconds')
  for (const script of text.match(/scripts\/\w+/g) ?? []) {
    expect(existsSync(join(root, script))).toBe(true)
  }
})

test('the README shows two pictures, which its readers load in no time', () => {
  const pictures = [...read('README.md').matchAll(/!\[[^\]]+\]\((docs\/[\w-]+\.png)\)/g)]
  expect(pictures.length).toBe(2)
  for (const [, path = ''] of pictures) {
    const { byteLength } = readFileSync(join(root, path))
    expect([path, byteLength < 200_000]).toEqual([path, true])
  }
})

test('ARCHITECTURE.md says of every package what it is for', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'))
  const text = read('ARCHITECTURE.md')
  const packages = Object.keys({ ...dependencies, ...devDependencies })

  expect(packages.length).toBeGreaterThan(15)
  expect(packages.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
})
