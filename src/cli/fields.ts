import { readFile } from 'node:fs/promises'
import { type PolicyInput, policyFieldList } from '../domain/app/policy.ts'
import type { Field } from '../domain/field.ts'
import { type Args, type Flag, type Flags, wrongUsage } from './command.ts'
import type { Io } from './io.ts'

/** A flag for every field of a policy: `--code-length N`. */
export const policyFlags: Flags = Object.fromEntries(
  policyFieldList.map(([, field]) => [flagName(field.wire), flagOf(field)]),
)

/** The policy of the flags; the word `default` unsets a field. */
export function policyFrom(args: Args): PolicyInput {
  const input: PolicyInput = {}
  for (const [name, field] of policyFieldList) {
    const text = args.text(flagName(field.wire))
    if (text !== undefined) input[name] = text === 'default' ? null : fieldValue(field, text)
  }
  return input
}

export function flagName(wire: string): string {
  return wire.replaceAll('_', '-')
}

export function flagOf(field: Field & { file?: true }): Flag {
  const { says } = field
  if (field.file) return { value: 'FILE', help: `${says} From a file, or - for standard input.` }
  if (field.type === 'integer') return { value: 'N', help: `${says} ${field.min} to ${field.max}.` }
  if (field.type === 'boolean') return { value: 'YES|NO', help: says }
  if (field.type === 'choice') return { value: 'KIND', help: `${says} (${field.of.join(', ')})` }
  if (field.type === 'list') {
    const words = field.must ?? field.of.join(', ')
    return { value: 'A,B', help: `${says} Separated by commas: ${words}.` }
  }
  if (field.type === 'integers') {
    return { value: 'N,M', help: `${says} Separated by commas: ${field.min} to ${field.max}.` }
  }
  if (field.type === 'texts') {
    return { value: 'A,B', help: `${says} Separated by commas: each ${field.must}.` }
  }
  return { value: 'TEXT', help: says }
}

/** Parses numbers and switches; other text is left to the domain, which refuses it by name. */
export function fieldValue(field: Field, text: string): unknown {
  if (field.type === 'integer') return /^\d{1,15}$/.test(text) ? Number(text) : text
  if (field.type === 'list' || field.type === 'texts')
    return text.split(',').map((word) => word.trim())
  if (field.type === 'integers') {
    return text.split(',').map((word) => fieldValue({ ...field, type: 'integer' }, word.trim()))
  }
  if (field.type !== 'boolean') return text
  if (text === 'yes' || text === 'true') return true
  return text === 'no' || text === 'false' ? false : text
}

/** Reads a file or standard input, without the final line break of editors and `echo`. */
export async function readText(flag: string, file: string, io: Io): Promise<string> {
  const text = file === '-' ? await io.readInput() : await readFile(file, 'utf8').catch(() => null)
  if (text === null) throw wrongUsage(`--${flag} names a file that cannot be read`)
  return text.replace(/\r?\n$/, '')
}
