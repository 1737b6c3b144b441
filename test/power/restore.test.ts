import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { adminToken, call, createApp, wrongCode } from '../e2e/client.ts'
import { mailSink } from '../e2e/mail-sink.ts'
import { executable, killAll, run, type Server, scratch, start } from '../support/executable.ts'
import { afterRestart, inTurn } from './live.ts'
import type { Row } from './promises.ts'
import { createRecorder, filesBelow } from './recorder.ts'
import { cutsAt, lookInto, type Remains, spread } from './replay.ts'
import { storyEnv } from './story.ts'

setDefaultTimeout(120_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

/** The number of cuts after which the executable is started. */
const asked = 12

test('a power cut during a restore leaves all of the old or all of the new', async () => {
  const { recording, before, after, done } = await recordRestore()
  const neither: Remains[] = []
  const points = recording.events.map((_, index) => index + 1)
  for (const remains of cutsAt(recording, points)) {
    const { rows } = lookInto(join(folder, 'cut'), remains.files, 'data/otpmint.db')
    const isNew = Bun.deepEquals(rows, after)
    const isOld = remains.point < done && Bun.deepEquals(rows, before)
    if (!isNew && !isOld) neither.push(remains)
  }
  // If it is neither, the server must refuse to start, with words that name the restore.
  const complaints = await inTurn(spread(neither, asked), join(folder, 'live'), asksForRestore)

  expect(before).not.toEqual(after)
  expect(complaints).toEqual([])
})

async function asksForRestore(remains: Remains, where: string) {
  const complaints = await afterRestart(remains, where, async () => ['the server starts'])
  return complaints.filter(({ what }) => !/restore/.test(what.replaceAll(where, '')))
}

/** Records a restore over a database that has more rows than the backup, some in its log only. */
async function recordRestore() {
  const root = join(folder, 'disk')
  const traces = join(folder, 'traces')
  for (const path of [traces, join(root, 'data')]) mkdirSync(path, { recursive: true })
  const dataDir = join(root, 'data')
  const backup = join(root, 'backup.db')
  const env = { OTPMINT_DATA_DIR: dataDir, ...storyEnv }
  const sink = await mailSink()
  const first = await start(['serve'], env)
  const { liveKey } = await createApp(first, adminToken(dataDir), { port: sink.port })
  const mint = async ({ base }: Server, to: string) => {
    const { json } = await call(`${base}/v1/verifications`, { to }, { token: liveKey })
    return json.id ?? ''
  }
  const failed = await mint(first, 'a@example.com')
  expect((await run(['backup', backup], env)).exitCode).toBe(0)
  // In the database, not in the backup: the stop moves the log into it.
  await mint(first, 'b@example.com')
  await first.stop()
  // In the log only.
  const second = await start(['serve'], env)
  const check = `${second.base}/v1/verifications/${failed}/check`
  await call(check, { code: wrongCode('123456') }, { token: liveKey })
  await mint(second, 'c@example.com')
  await second.kill()
  await sink.close()

  const tree = filesBelow(root)
  const { rows: before } = lookInto(join(folder, 'before'), tree, 'data/otpmint.db')
  const recorder = createRecorder(root, traces)
  const restored = await recorder.run('restore', ['restore', '--force', backup], env)
  expect(restored.exitCode).toBe(0)
  const after: Map<string, Row> = lookInto(
    join(folder, 'after'),
    filesBelow(root),
    'data/otpmint.db',
  ).rows
  const events = recorder.events()
  const done = events.findIndex(({ kind }) => kind === 'exit') + 1
  return { recording: { events, tree }, before, after, done }
}
