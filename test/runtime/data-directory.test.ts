import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chmodSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  dataDirectory,
  holdDataDirectory,
  isHeld,
  prepareDataDirectory,
  refuseHalfRestored,
  requireDatabase,
} from '../../src/runtime/data-directory.ts'
import { refusal, scratch } from './fixture.ts'

setDefaultTimeout(60_000)

const { newPath, remove } = scratch('directory')
afterAll(remove)

test('a data directory is made with mode 0700, and one open to others is changed to it', () => {
  const directory = dataDirectory(newPath())
  const mode = () => statSync(directory.root).mode & 0o777
  expect([prepareDataDirectory(directory), mode()]).toEqual(['private', 0o700])
  for (const open of [0o777, 0o755, 0o750]) {
    chmodSync(directory.root, open)
    expect([prepareDataDirectory(directory), mode()]).toEqual(['repaired', 0o700])
  }
  expect(prepareDataDirectory(directory)).toBe('private')
})

test('a data directory that cannot be made is refused, naming the setting', async () => {
  const { exitCode, says } = await refusal(() =>
    prepareDataDirectory(dataDirectory('/proc/otpmint')),
  )
  expect(exitCode).toBe(78)
  expect(says).toContain('OTPMINT_DATA_DIR')
})

test('one process locks a data directory, and a second one is told which', async () => {
  const directory = dataDirectory(newPath())
  prepareDataDirectory(directory)
  expect(isHeld(directory)).toBe(false)
  const held = holdDataDirectory(directory, 4242)
  expect(isHeld(directory)).toBe(true)

  expect((await refusal(() => holdDataDirectory(directory, 1))).says).toContain('pid 4242')

  held.release()
  expect(isHeld(directory)).toBe(false)
  holdDataDirectory(directory, 1).release()
})

test('a missing database beside the files of a restore is refused, naming them', async () => {
  for (const left of ['otpmint.db.restoring', 'otpmint.db.before-20260615T120000Z']) {
    const directory = dataDirectory(newPath())
    prepareDataDirectory(directory)
    refuseHalfRestored(directory)
    writeFileSync(join(directory.root, left), '')

    for (const check of [refuseHalfRestored, requireDatabase]) {
      const { exitCode, says } = await refusal(() => check(directory))
      expect(exitCode).toBe(1)
      expect(says).toContain(left)
      expect(says).toContain('otpmint restore')
    }
    writeFileSync(directory.database, '')
    refuseHalfRestored(directory)
    requireDatabase(directory)
  }
})

test('a directory without a database and an unreadable one are refused differently', async () => {
  const empty = dataDirectory(newPath())
  mkdirSync(empty.root)
  expect((await refusal(() => requireDatabase(empty))).says).toContain('there is no database')

  // Root can read every directory, so the check runs as another user.
  const script = `
    import { dataDirectory, requireDatabase } from ${JSON.stringify(
      join(import.meta.dir, '../../src/runtime/data-directory.ts'),
    )}
    if (process.getuid() === 0) process.setuid(65534)
    try { requireDatabase(dataDirectory(process.argv.at(-1))) } catch (error) {
      console.log(error.exitCode, error.reasons.join())
    }`
  const closed = newPath()
  mkdirSync(closed)
  chmodSync(join(closed, '..'), 0o755)
  chmodSync(closed, 0)
  const asked = Bun.spawnSync([process.execPath, '-e', script, closed], { env: { HOME: '/' } })
  rmSync(closed, { recursive: true })

  expect(asked.stdout.toString()).toStartWith('78 ')
  expect(asked.stdout.toString()).toContain('cannot be read (EACCES)')
})

test('a deleted working directory is named as the reason', async () => {
  const gone = newPath()
  mkdirSync(gone)
  const module = JSON.stringify(join(import.meta.dir, '../../src/runtime/data-directory.ts'))
  const script = `
    const { dataDirectory } = await import(${module})
    require('node:fs').rmdirSync(process.cwd())
    try { dataDirectory('./data') } catch (error) { console.log(error.exitCode, error.reasons[0]) }
    console.log(dataDirectory('/absolute').root)`
  const asked = Bun.spawnSync([process.execPath, '-e', script], { cwd: gone })

  expect(asked.stderr.toString()).toBe('')
  const [said, absolute] = asked.stdout.toString().trim().split('\n')
  expect(said).toStartWith('78 the working directory is gone')
  expect(absolute).toBe('/absolute')
})
