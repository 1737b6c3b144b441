import { dirname, join, normalize } from 'node:path'
import { blank } from './blank.ts'

export type Source = { path: string; text: string }

type File = Source & { code: string; comments: string; imports: { name: string; at: number }[] }
type Ban = {
  /** Says what to do instead. */
  say: string
  pattern: RegExp
  where: 'code' | 'comments' | 'text'
  /** The paths it holds for, by prefix or pattern. */
  within: RegExp
  except?: RegExp
}

const fileLinesMax = 250
const columnsMax = 100

const leaves = ['clock', 'log', 'metrics', 'random', 'version']

/** Which part of src/ may import which: a part is a folder, or a file beside them. */
const mayImport: Record<string, string[]> = {
  domain: [],
  http: ['domain', 'dashboard', ...leaves],
  store: ['domain', ...leaves],
  channels: ['domain', ...leaves],
  jobs: ['domain', ...leaves],
  keys: ['domain'],
  config: ['domain', ...leaves],
  dashboard: [],
  runtime: ['domain', 'http', 'store', 'channels', 'jobs', 'keys', 'config', ...leaves],
  cli: ['domain', 'runtime', ...leaves],
  main: ['cli', 'production', ...leaves],
  production: [],
  ...Object.fromEntries(leaves.map((leaf) => [leaf, ['domain']])),
}

/** Where each package may be imported. */
const packageHomes: Record<string, string[]> = {
  elysia: ['http'],
  '@elysiajs/swagger': ['http'],
  'swagger-ui-dist': ['http'],
  nodemailer: ['channels'],
  'bun:sqlite': ['store'],
  '@node-rs/argon2': ['keys'],
  'ipaddr.js': ['channels', 'http', 'config'],
}

const source = /^src\//
const typescript = /\.tsx?$/
const notTypes = /^(src|test|bench|scripts)\/.*(?<!\.d)\.tsx?$/

const bans: Ban[] = [
  {
    say: 'time comes from Clock',
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/,
    where: 'code',
    within: source,
    except: /^src\/clock\.ts$/,
  },
  {
    say: 'randomness comes from Random',
    pattern: /\bMath\.random\b/,
    where: 'code',
    within: source,
  },
  {
    say: 'the environment is read by main.ts and config/',
    pattern: /\b(process|Bun|import\.meta)\.env\b/,
    where: 'code',
    within: source,
    except: /^src\/(main\.ts|production\.ts|config\/)/,
  },
  {
    say: 'only main.ts touches process',
    pattern: /(?<![.\w])process\.(?!env\b)/,
    where: 'code',
    within: source,
    except: /^src\/main\.ts$/,
  },
  { say: 'output goes through io or Log', pattern: /\bconsole\./, where: 'code', within: source },
  {
    say: 'no any',
    pattern: /(:|\bas|<|,|\|)\s*any\b(?!\s*[(:])/,
    where: 'code',
    within: notTypes,
  },
  {
    say: 'the compiler is not silenced',
    pattern: /@ts-(ignore|expect-error|nocheck)/,
    where: 'comments',
    within: notTypes,
  },
  { say: 'do it now', pattern: /\b(TODO|FIXME|XXX|HACK)\b/, where: 'comments', within: notTypes },
  {
    say: 'exports have names',
    pattern: /\bexport\s+default\b/,
    where: 'code',
    within: notTypes,
  },
  { say: 'no barrels', pattern: /\bexport\s+\*/, where: 'code', within: notTypes },
  { say: 'no enums', pattern: /\benum\s+\w+\s*\{/, where: 'code', within: notTypes },
  {
    say: 'no class but Problem',
    pattern: /(?<![.\w])class\s+(\w+|\{)/,
    where: 'code',
    within: notTypes,
    except: /^src\/domain\/problem\.ts$/,
  },
  {
    say: 'a test runs or is deleted',
    pattern: /\b(test|it|describe)\.(skip|todo|only|if|failing)/,
    where: 'code',
    within: /^test\//,
  },
  {
    say: 'no registry is named: the machine says where packages come from',
    pattern:
      /\bregistry\.[\w-]+\.\w+|\bnpm[j]s\b|\byarn[p]kg\b|\b(ghcr|docker|quay|jsr|gcr)[.]io\b/i,
    where: 'text',
    within: /./,
  },
]

/** Every breach of the house rules of ARCHITECTURE.md, as `path:line: what to do instead`. */
export function breaches(sources: Source[]): string[] {
  const files = sources.map(parse)
  const inSource = files.filter(({ path }) => source.test(path))
  return [
    ...files.flatMap(bansBroken),
    ...files.flatMap(tooLarge),
    ...inSource.flatMap(importsBroken),
    ...argon2Homes(inSource),
    ...orphans(inSource),
  ].sort()
}

function parse({ path, text }: Source): File {
  if (!typescript.test(path)) return { path, text, code: text, comments: '', imports: [] }
  const { code, comments } = blank(text)
  const imports: File['imports'] = []
  for (const match of code.matchAll(/\b(?:from|import|import\(|require\()\s*(['"`])/g)) {
    const start = match.index + match[0].length
    imports.push({ name: text.slice(start, code.indexOf(match[1] ?? '', start)), at: start })
  }
  return { path, text, code, comments, imports }
}

function bansBroken(file: File): string[] {
  return bans
    .filter(({ within, except }) => within.test(file.path) && !except?.test(file.path))
    .flatMap(({ pattern, where, say }) => {
      const broken = [...file[where].matchAll(new RegExp(pattern, `g${pattern.flags}`))]
      return broken.map((match) => breach(file, match.index, say))
    })
}

function tooLarge(file: File): string[] {
  const found: string[] = []
  const lines = file.text.split('\n')
  if (source.test(file.path) && typescript.test(file.path) && lines.length - 1 > fileLinesMax) {
    found.push(`${file.path}:${lines.length - 1}: at most ${fileLinesMax} lines a file`)
  }
  if (!typescript.test(file.path)) return found
  lines.forEach((line, index) => {
    if ([...line].length <= columnsMax) return
    found.push(`${file.path}:${index + 1}: at most ${columnsMax} columns`)
  })
  return found
}

function importsBroken(file: File): string[] {
  const part = partOf(file.path)
  return file.imports.flatMap(({ name, at }) => {
    const say = name.startsWith('.') ? localBroken(file, part, name) : packageBroken(part, name)
    return say ? [breach(file, at, say)] : []
  })
}

function localBroken(file: File, part: string, name: string): string | null {
  const target = resolved(file.path, name)
  if (!/\.\w+$/.test(name)) return `${name}: a local import names its file with the ending`
  if (!source.test(target)) return packageData.test(target) ? null : `${name} lies outside src/`
  const other = partOf(target)
  if (other === part || mayImport[part]?.includes(other)) return null
  return `${part} may not import ${other}`
}

const packageData = /^(package\.json|node_modules\/)/

function packageBroken(part: string, name: string): string | null {
  if (part === 'domain') return `domain imports nothing, and not ${name}`
  const known = Object.keys(packageHomes).find((id) => name === id || name.startsWith(`${id}/`))
  if (known) return packageHomes[known]?.includes(part) ? null : `${known} is not for ${part}`
  if (name === 'bun' || (name.startsWith('node:') && name !== 'node:process')) return null
  return `${name} is not among the packages that have a home`
}

function argon2Homes(files: File[]): string[] {
  const homes = files.filter(({ imports }) => imports.some(({ name }) => name.includes('argon2')))
  return homes.slice(1).map(({ path }) => `${path}:1: argon2 is imported by one file only`)
}

function orphans(files: File[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const waiting = ['src/main.ts']
  const reached = new Set(waiting)
  if (!byPath.has('src/main.ts')) return []

  for (const path of waiting) {
    for (const { name } of byPath.get(path)?.imports ?? []) {
      const target = resolved(path, name)
      if (!name.startsWith('.') || reached.has(target)) continue
      reached.add(target)
      waiting.push(target)
    }
  }
  return [...byPath.keys()]
    .filter((path) => !reached.has(path) && !path.endsWith('.d.ts'))
    .map((path) => `${path}:1: nothing leads here from main.ts`)
}

/** `src/http/server.ts` belongs to `http`, `src/log.ts` to `log`. */
function partOf(path: string): string {
  return (path.split('/')[1] ?? '').replace(/\.tsx?$/, '')
}

function resolved(path: string, name: string): string {
  return normalize(join(dirname(path), name))
}

function breach(file: File, at: number, say: string): string {
  return `${file.path}:${file.text.slice(0, at).split('\n').length}: ${say}`
}
