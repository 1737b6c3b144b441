import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from '../../src/domain/problem.ts'

const directory = mkdtempSync(join(tmpdir(), 'otpmint-store-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

/** A new path that is deleted when the tests end. */
export const newPath = (): string => join(directory, `${crypto.randomUUID()}.db`)

export const newDirectory = (): string => mkdtempSync(join(directory, 'home-'))

/** The code of the problem that a promise rejects with; else its error or value as text. */
export async function problemCode(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(String, (reason: unknown) => reason)
  return error instanceof Problem ? error.code : String(error)
}
