/**
 * Runs the power tests with many points: `bun test/power/campaign.ts --points 1000`. Records a
 * story of `--starts` verifications (default: a fifth of the points), cuts it at each point in
 * every way, and starts the executable on every `--live`-th directory. Exits with 1 and keeps the
 * recording if a promise is broken.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { afterRestart, askAboutPromises, type Complaint, inTurn } from './live.ts'
import { cutsAt, pointsOf, type Remains, replay, summary } from './replay.ts'
import { recordStory } from './story.ts'

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '1000' },
    starts: { type: 'string' },
    seed: { type: 'string', default: '1' },
    live: { type: 'string', default: '100' },
  },
})
const points = Number(values.points)
const starts = Number(values.starts ?? Math.max(60, Math.ceil(points / 5)))
const seed = Number(values.seed)
const live = Number(values.live)
const folder = mkdtempSync(join(tmpdir(), 'otpmint-power-'))
const began = performance.now()

say(`recording ${starts} starts in ${folder}`)
const recording = await recordStory(folder, starts)
const fsyncs = recording.events.filter(({ kind }) => kind === 'synced').length
say(
  `${recording.events.length} events, ${fsyncs} fsyncs, ` +
    `${recording.received} answers about ${recording.codes.size} verifications`,
)
const chosen = pointsOf(recording.events, points)
const { directories, breaches } = replay(recording, chosen, join(folder, 'cut'), {
  seed,
  onCut(done, broken) {
    if (done % 1000 === 0) say(`${done} of ${chosen.length * 10} directories, ${broken} breaches`)
  },
})
say(`${directories} directories of ${chosen.length} points: ${summary(breaches)}`)

let restarts = 0
const complaints = await inTurn(everySo(cutsAt(recording, chosen, { seed })), folder, restart)
say(`${restarts} restarts of the executable: ${complaints.length} complaints`)

const found = [...breaches, ...complaints]
for (const each of found.slice(0, 20)) say(JSON.stringify(each))
if (found.length > 0) {
  say(`kept: ${folder}`)
  process.exitCode = 1
} else {
  rmSync(folder, { recursive: true })
}

function* everySo(cuts: Iterable<Remains>): Generator<Remains> {
  let number = 0
  // This step has no divisor in common with the ten ways, so that each way is chosen.
  const step = live % 2 === 0 || live % 5 === 0 ? live + 1 : live
  for (const cut of cuts) if (number++ % step === 0) yield cut
}

async function restart(remains: Remains, where: string): Promise<Complaint[]> {
  if (++restarts % 100 === 0) say(`${restarts} restarts`)
  return afterRestart(remains, where, (server) => {
    return askAboutPromises(recording, remains.point, server)
  })
}

function say(text: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6)
  process.stdout.write(`${seconds} s  ${text}\n`)
}
