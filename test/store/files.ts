import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from '../../src/domain/problem.ts'

const directory = mkdtempSync(join(tmpdir(), 'otpmint-store-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

/** A path of its own that is deleted when the tests end. */
export const newPath = (): string => join(directory, `${crypto.randomUUID()}.db`)

export const newDirectory = (): string => mkdtempSync(join(directory, 'home-'))

/** The code of the refusal that a promise ends in; else what it ends in, as text. */
export async function problemCode(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(String, (reason: unknown) => reason)
  return error instanceof Problem ? error.code : String(error)
}
