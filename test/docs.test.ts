import { expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dir, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'))

test('every link between the pages leads somewhere', () => {
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

test('the request that ARCHITECTURE traces goes through the files that it names', () => {
  const trace = read('ARCHITECTURE.md').split('## One request, traced')[1]?.split('\n## ')[0] ?? ''
  const files = [...trace.matchAll(/^\d\. `(src\/[\w./-]+)`/gm)].map(([, path = '']) => path)
  expect(files.length).toBe(4)

  const [http = '', domain = '', store = '', commit = ''] = files
  expect(read(http)).toContain(domain.replace('src/', '../'))
  expect(read(domain)).toContain('chargeAttempt')
  expect(read(store)).toContain('chargeAttempt')
  expect(read(store)).toContain('group-commit.ts')
  expect(existsSync(join(root, commit))).toBe(true)
})

test('the README begins with the start, keeps its promises in sight and stays short', () => {
  const text = read('README.md')
  expect(text.split('\n').length).toBeLessThanOrEqual(150)
  expect(text.match(/^## .*$/m)?.[0]).toBe('## Start in 60 seconds')
  for (const script of text.match(/scripts\/\w+/g) ?? []) {
    expect(existsSync(join(root, script))).toBe(true)
  }
})
