/**
 * Compares the model of the disk with a real ext4: `bun test/power/judge.ts --cuts 20`, as root,
 * with loop devices. The file system is shut down during writes, without a flush of its journal.
 * Mounted again, the files must be possible in the model, and hold all that was answered.
 */
import { dlopen } from 'bun:ffi'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { adminToken, createApp } from '../e2e/client.ts'
import { mailSink } from '../e2e/mail-sink.ts'
import { eventually, finished, start } from '../support/executable.ts'
import { advance, asSeen, createDisk, impossible } from './disk.ts'
import { answersOf, brokenPromises, promisedBefore } from './promises.ts'
import { createRecorder, filesBelow } from './recorder.ts'
import { lookInto } from './replay.ts'
import { attemptsMax, createClient, storyEnv, work } from './story.ts'
import type { TraceEvent } from './trace.ts'

/** EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH. */
const shutdownRequest = 0x8004587d
const withoutFlush = 2

const { values } = parseArgs({ options: { cuts: { type: 'string', default: '20' } } })
const folder = mkdtempSync(join(tmpdir(), 'otpmint-judge-'))
const image = join(folder, 'image')
const mounted = join(folder, 'mounted')
const root = join(mounted, 'main')
const dataDir = join(root, 'data')
const env = { OTPMINT_DATA_DIR: dataDir, ...storyEnv }
const { symbols: libc } = dlopen('libc.so.6', {
  ioctl: { args: ['int', 'u64', 'ptr'], returns: 'int' },
})

mkdirSync(mounted)
await must('truncate', '-s', '256M', image)
await must('mkfs.ext4', '-q', '-F', image)
await must('mount', '-o', 'loop', image, mounted)
let failed = 0
try {
  failed = (await judge(Number(values.cuts))) + (await judgeFirstStarts(3))
} finally {
  await finished(['umount', mounted], withSbin())
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed > 0 ? 1 : 0

async function judge(cuts: number): Promise<number> {
  const sink = await mailSink()
  for (const path of [dataDir, join(root, 'backups')]) mkdirSync(path, { recursive: true })
  const installed = await start(['serve'], env)
  const { liveKey } = await createApp(installed, adminToken(dataDir), { port: sink.port })
  await installed.stop()
  await must('sync', '-f', mounted)

  const client = createClient('', liveKey, sink)
  const answered: TraceEvent[] = []
  let wrong = 0
  for (let cut = 1; cut <= cuts; cut++) {
    const tree = filesBelow(root)
    const name = `cut-${cut}`
    const recorder = createRecorder(root, traces(name), { diskIsGone: true })
    const server = await recorder.serve(name, env)
    client.base = server.base
    const ends = new AbortController()
    const working = work(client, Number.POSITIVE_INFINITY, ends.signal)
    await Bun.sleep(300 + 37 * (cut % 20))
    const backup = cut % 5 === 0 ? `backups/${name}.db` : null
    if (backup) {
      ends.abort()
      await working
      await Bun.sleep(1000)
      // Without traffic, and again after a checkpoint: a later fsync would hide a missing one.
      for (const path of [`backups/${name}-early.db`, backup]) {
        const ran = await recorder.run(path.replaceAll('/', '-'), ['backup', join(root, path)], env)
        if (ran.exitCode !== 0) throw new Error(ran.stderr)
      }
    }
    ends.abort()
    shutDown()
    await server.kill()
    await working
    await mountAgain()

    const files = filesBelow(root)
    const events = recorder.events()
    answered.push(...events.filter(({ kind }) => kind === 'answer'))
    const said = [...modelErrors(events, tree, files), ...losses(answered, files)]
    if (backup) said.push(...faultOf(backup, files))
    wrong += said.length
    say(`cut ${cut}: ${changed(events, tree, files)}, ${said.length} complaints`)
    for (const each of said.slice(0, 5)) say(`  ${each}`)
  }
  await sink.close()
  say(`${cuts} cuts, ${answersOf(answered, attemptsMax).length} answers, ${wrong} complaints`)
  return wrong
}

/** The differences between the real disk and the model. */
function modelErrors(
  events: TraceEvent[],
  tree: Map<string, Uint8Array>,
  files: Map<string, Uint8Array>,
): string[] {
  const disk = createDisk('journal', tree)
  for (const event of events) advance(disk, event)
  return impossible(disk, files).map((what) => `the model is wrong: ${what}`)
}

function faultOf(backup: string, files: Map<string, Uint8Array>): string[] {
  const { fault } = lookInto(join(folder, 'look'), files, backup)
  return fault === null ? [] : [`a backup that was reported as done: ${fault}`]
}

/** Checks that the token of a first start is still in its file after a cut. */
async function judgeFirstStarts(cuts: number): Promise<number> {
  let wrong = 0
  for (let cut = 1; cut <= cuts; cut++) {
    const first = join(mounted, `first-${cut}`)
    mkdirSync(first)
    const server = await start(['serve'], { OTPMINT_DATA_DIR: first })
    await Bun.sleep(100 * cut)
    const token = adminToken(first)
    shutDown()
    await server.kill()
    await mountAgain()
    const path = join(first, 'admin.token')
    const left = existsSync(path) ? readFileSync(path, 'latin1').trim() : 'no file'
    if (left === token) continue
    wrong++
    say(`a first start: admin.token is ${JSON.stringify(left.slice(0, 12))}`)
  }
  return wrong
}

async function mountAgain(): Promise<void> {
  await eventually(async () => (await finished(['umount', mounted], withSbin())).exitCode === 0)
  await must('mount', '-o', 'loop', image, mounted)
}

function losses(answered: TraceEvent[], files: Map<string, Uint8Array>): string[] {
  const { rows, fault } = lookInto(join(folder, 'look'), files, 'data/otpmint.db')
  if (fault !== null) return [`the database: ${fault}`]
  const promised = promisedBefore(answersOf(answered, attemptsMax), answered.length)
  return brokenPromises(rows, promised).map(({ kind, detail }) => `${kind}: ${detail}`)
}

/** The number of files that lost something in the cut. */
function changed(
  events: TraceEvent[],
  tree: Map<string, Uint8Array>,
  files: Map<string, Uint8Array>,
): string {
  const disk = createDisk('journal', tree)
  for (const event of events) advance(disk, event)
  const seen = asSeen(disk)
  const paths = [...new Set([...seen.keys(), ...files.keys()])]
  const lost = paths.filter((path) => {
    const [one, two] = [seen.get(path), files.get(path)]
    return !one || !two || Buffer.compare(one, two) !== 0
  })
  return `${events.length} events, the cut shows in ${lost.join(' ') || 'nothing'}`
}

function shutDown(): void {
  const directory = openSync(mounted, 'r')
  const result = libc.ioctl(directory, shutdownRequest, new Uint32Array([withoutFlush]))
  closeSync(directory)
  if (result !== 0) throw new Error('this file system cannot be shut down')
}

function traces(name: string): string {
  const path = join(folder, `traces-${name}`)
  mkdirSync(path)
  return path
}

async function must(...command: string[]): Promise<void> {
  const { exitCode, stderr } = await finished(command, withSbin())
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
}

function withSbin(): Record<string, string> {
  return { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
