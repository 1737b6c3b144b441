import { dirname, join, normalize } from 'node:path'
import { blank } from './blank.ts'

export type Source = { path: string; text: string }

type File = Source & { code: string; imports: { name: string; at: number }[] }
type Ban = {
  /** Says what to do instead. */
  say: string
  pattern: RegExp
  /** Whether comments and the contents of strings count. */
  everywhere?: true
  /** The paths it holds for. */
  within: RegExp
  except?: RegExp
}

const leaves = ['log', 'metrics', 'nearest', 'startup-error', 'system', 'version']
const below = ['domain', 'messages', 'present', ...leaves]
const doors = ['http', 'store', 'channels', 'jobs', 'keys', 'config']

/** Which part of src/ may import which: a part is a folder, or a file beside them. */
const mayImport: Record<string, string[]> = {
  domain: [],
  messages: ['domain'],
  present: ['domain'],
  ...Object.fromEntries(doors.map((door) => [door, below])),
  http: [...below, 'dashboard'],
  dashboard: ['present'],
  runtime: [...doors, ...below],
  cli: ['runtime', 'config', ...below],
  main: ['cli', 'production', ...leaves],
  production: [],
  ...Object.fromEntries(leaves.map((leaf) => [leaf, ['domain']])),
}

/** Where each package may be imported. */
const packageHomes: Record<string, string[]> = {
  elysia: ['http'],
  '@elysiajs/swagger': ['http'],
  'swagger-ui-dist': ['http'],
  preact: ['dashboard'],
  '@preact/signals': ['dashboard'],
  nodemailer: ['channels'],
  'postal-mime': ['channels'],
  'libphonenumber-js': ['channels'],
  '@formatjs/intl-localematcher': ['messages'],
  mustache: ['messages'],
  standardwebhooks: ['channels'],
  'bun:sqlite': ['store'],
  '@node-rs/argon2': ['keys'],
  jose: ['keys'],
  'ipaddr.js': ['channels', 'http', 'config'],
}

const source = /^src\//
const code = /^src\/.*\.tsx?$/
const typescript = /\.tsx?$/

const bans: Ban[] = [
  {
    say: 'time comes from Clock',
    pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bDate\(\s*\)/,
    within: code,
    except: /^src\/(dashboard\/)?system\.ts$/,
  },
  {
    say: 'waiting comes from Timers',
    pattern: /\bset(Timeout|Interval|Immediate)\b|\bBun\.sleep|\bperformance\.now\b|node:timers/,
    within: code,
    except: /^src\/(main|system|dashboard\/system)\.ts$/,
  },
  { say: 'randomness comes from Random', pattern: /\bMath\.random\b/, within: code },
  {
    say: 'the environment is read by main.ts and config/',
    pattern: /\b(process|Bun|import\.meta)\.env\b/,
    within: code,
    except: /^src\/(main\.ts|production\.ts|config\/)/,
  },
  {
    say: 'only main.ts touches process',
    pattern: /(?<![.\w])process\.(?!env\b)/,
    within: code,
    except: /^src\/main\.ts$/,
  },
  {
    say: 'no class but errors',
    pattern: /(?<![.\w])class\s+(?!\w+ extends Error\b)(\w+|\{)/,
    within: code,
  },
  {
    say: 'the dashboard takes types only from the server: import type',
    pattern: /\bimport\s+(?!type\b)[^;'"]*\bfrom\s+'(\.\.\/)+present(\.ts|\/.*)'/,
    everywhere: true,
    within: /^src\/dashboard\//,
  },
  {
    say: 'do it now',
    pattern: /\/[/*].*\b(TO[D]O|FIX[M]E|X[X]X|HAC[K])\b/,
    everywhere: true,
    within: typescript,
  },
  {
    say: 'no registry is named: the machine says where packages come from',
    pattern:
      /\bregistry\.[\w-]+\.\w+|\bnpm[j]s\b|\byarn[p]kg\b|\b(ghcr|docker|quay|jsr|gcr)[.]io\b/i,
    everywhere: true,
    within: /./,
  },
]

/** Every violation of the code rules of ARCHITECTURE.md, as `path:line: what to do instead`. */
export function breaches(sources: Source[]): string[] {
  const files = sources.map(parse)
  const inSource = files.filter(({ path }) => source.test(path))
  return [
    ...files.flatMap(bansBroken),
    ...inSource.flatMap(importsBroken),
    ...argon2Homes(inSource),
    ...orphans(inSource),
  ].sort()
}

function parse({ path, text }: Source): File {
  if (!typescript.test(path)) return { path, text, code: text, imports: [] }
  const code = blank(text)
  const imports: File['imports'] = []
  for (const match of code.matchAll(/\b(?:from|import|import\(|require\()\s*(['"`])/g)) {
    const start = match.index + match[0].length
    imports.push({ name: text.slice(start, code.indexOf(match[1] ?? '', start)), at: start })
  }
  return { path, text, code, imports }
}

function bansBroken(file: File): string[] {
  return bans
    .filter(({ within, except }) => within.test(file.path) && !except?.test(file.path))
    .flatMap(({ pattern, everywhere, say }) => {
      const text = everywhere ? file.text : file.code
      const broken = [...text.matchAll(new RegExp(pattern, `g${pattern.flags}`))]
      return broken.map((match) => breach(file, match.index, say))
    })
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

/** Finds files that no program begins with, and that none of those imports, directly or not. */
function orphans(files: File[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  if (!byPath.has('src/main.ts')) return []
  const waiting = [...byPath.keys()].filter((path) => entry.test(path))
  const reached = new Set(waiting)
  for (const path of waiting) {
    for (const { name } of byPath.get(path)?.imports ?? []) {
      const target = resolved(path, name)
      if (!name.startsWith('.') || reached.has(target)) continue
      reached.add(target)
      waiting.push(target)
    }
  }
  return [...byPath.keys()]
    .filter((path) => typescript.test(path) && !reached.has(path) && !path.endsWith('.d.ts'))
    .map((path) => `${path}:1: no import leads here from main.ts`)
}

/** The executable, its threads, the dashboard and the frame in it. */
const entry = /^src\/(main\.ts|.*worker\.ts|dashboard\/(main\.tsx|preview\.ts))$/

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
