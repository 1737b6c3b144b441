import type { Log, LogFields } from '../../src/domain/ports.ts'
import type { MasterKey } from '../../src/keys/master-key.ts'
import { type Client, createClient } from './client.ts'
import { createDisk, type Disk, type DiskFault } from './disk.ts'
import { createLedger, type Ledger, noteJumpBack } from './ledger.ts'
import { type Machine, startMachine } from './machine.ts'
import { createMailServer, type MailObserver, type MailServer } from './mail-server.ts'
import type { Ask, Question } from './model.ts'
import { createOracle, type Oracle } from './oracle.ts'
import type { Profile } from './profile.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import type { Rng } from './rng.ts'
import { createVirtualTime, type Life, type VirtualTime } from './virtual-time.ts'

export type World = {
  ledger: Ledger
  recorder: Recorder
  mailServer: MailServer
  time: VirtualTime
  /** The process of the server that runs now. */
  machine(): Machine
  masterKeys: MasterKey[]
  boot(): Promise<void>
  ask(question: Question): Ask
  /** Runs tasks until none is due; throws if a rule has failed. */
  settle(): Promise<void>
  /** Runs this number of due tasks. */
  run(count: number): Promise<void>
  /** Lets real time pass, then runs the due tasks. */
  pass(ms: number): Promise<void>
  /** Lets time pass until the promise is settled. */
  drive<Value>(promise: Promise<Value>): Promise<Value>
  jump(ms: number): void
  failDisk(fault: DiskFault): void
  healDisk(): void
  /** Kills the process, now or right after the next commit, and starts another from its files. */
  crash(options: { afterCommit: boolean; downMs: number }): Promise<void>
  /** Stops the process as SIGTERM does, and starts another. */
  restart(): Promise<void>
  remove(): Promise<void>
}

const startAt = Date.UTC(2026, 5, 15, 12)
/** More tasks at one moment are an endless loop. */
/** Ends of tries are gathered for 10 ms, and groups of commits rest for 2 ms. */
const groupingMs = 20
const dueMax = 20_000
/** How long a stopping server waits for open requests, in ms. */
const stopMaxMs = 10_000

/** Connects one server process with a simulated clock, disk, mail servers and clients. */
export function createWorld(seed: number, rng: Rng, profile: Profile): World {
  const time = createVirtualTime(rng.stream('schedule'), startAt)
  const recorder = createRecorder(seed, time.elapsed)
  const ledger = createLedger(profile.settings, time)
  const plain = createOracle(ledger)
  const oracle: Oracle = recorder.guarded({ ...plain, mail: recorder.guarded(plain.mail) })
  const mailServer = createMailServer(rng.stream('mail'), time, observed(recorder, oracle))
  const client: Client = createClient(ledger, oracle, {
    asked: recorder.asked,
    answered: recorder.answered,
    failed: recorder.fail,
  })
  const disk: Disk = createDisk()
  const masterKeys: MasterKey[] = [{ kind: 'bytes', bytes: rng.stream('keys').bytes(32) }]
  const random = rng.stream('server')
  const machines: Machine[] = []
  let lives = 0

  const check = () => {
    const failure = recorder.failure()
    if (failure) throw failure
  }
  const turn = async () => {
    // Promises that do not wait for a timer resolve within one turn of the event loop.
    await new Promise(setImmediate)
    check()
  }
  const run = async (count: number) => {
    await turn()
    for (let done = 0; done < count && time.runOne(); done++) await turn()
  }
  /** Runs what is due, and what becomes due within the time in which the server groups writes. */
  const settle = async () => {
    await turn()
    const until = time.elapsed() + groupingMs
    for (let done = 0; ; done++) {
      if (done > dueMax) throw new Error('the server goes in circles')
      if (time.runOne()) {
        await turn()
        continue
      }
      const next = time.nextAt()
      if (next === null || next > until) break
      time.advance(next - time.elapsed())
      oracle.clockMoved()
    }
    oracle.quiet()
  }
  const pass = async (ms: number) => {
    time.advance(ms)
    oracle.clockMoved()
    await settle()
  }
  async function drive<Value>(promise: Promise<Value>): Promise<Value> {
    let isOver = false
    const end = () => {
      isOver = true
    }
    promise.then(end, end)
    for (let waits = 0; ; waits++) {
      await turn()
      if (isOver) return promise
      if (time.runOne()) continue
      const next = time.nextAt()
      if (next === null || waits > dueMax) throw new Error('it never ends')
      time.advance(Math.max(0, next - time.elapsed()))
      oracle.clockMoved()
    }
  }
  const machine = () => {
    const last = machines.at(-1)
    if (!last) throw new Error('no process runs')
    return last
  }
  async function boot(): Promise<void> {
    const life: Life = { number: ++lives, isOver: false }
    const parts = { path: disk.path(), life, time, random, settings: profile.settings, masterKeys }
    const email = mailServer.channelOf(life)
    const log = logOf(recorder, life)
    const starting = startMachine({ ...parts, email, inInbox: oracle.mail.inInbox, log })
    machines.push(await drive(starting))
    ledger.isTrouble = false
    ledger.calmMs = mailServer.isWell() ? 0 : null
  }
  return {
    ...{ ledger, recorder, mailServer, time, machine, masterKeys },
    ...{ boot, settle, run, pass, drive },
    ask: (question) => client.ask(machine(), question),
    jump(ms) {
      recorder.note(`the clock jumps by ${ms} ms`)
      recorder.count('jump')
      if (ms < 0) noteJumpBack(ledger)
      time.jump(ms)
      ledger.calmMs = null
      ledger.jumped = true
      oracle.clockMoved()
    },
    failDisk(fault) {
      recorder.note(`the disk is ${fault}`)
      recorder.count(`disk ${fault}`)
      disk.fail(fault)
      ledger.isTrouble = true
      oracle.troubled()
    },
    healDisk() {
      if (!ledger.isTrouble) return
      recorder.note('the disk is well again')
      disk.heal()
      oracle.troubled()
      ledger.isTrouble = false
    },
    async crash({ afterCommit, downMs }) {
      const { life } = machine()
      const isRun = afterCommit && time.runSoon(life)
      recorder.note(`crash${isRun ? ' right after a commit' : ''}, down for ${downMs} ms`)
      recorder.count('crash')
      life.isOver = true
      oracle.troubled()
      client.lose()
      disk.crash()
      ledger.isTrouble = true
      time.advance(downMs)
      oracle.clockMoved()
      await boot()
    },
    async restart() {
      recorder.note('stops')
      recorder.count('restart')
      const stopped = machine()
      for (const asked of ledger.open) asked.isTroubled = true
      stopped.refuse()
      const until = time.elapsed() + stopMaxMs
      while (ledger.open.size > 0 && time.elapsed() < until) await pass(500)
      await drive(stopped.stop())
      stopped.life.isOver = true
      client.lose()
      recorder.note('starts again')
      await boot()
    },
    async remove() {
      disk.heal()
      for (const each of machines) {
        each.life.isOver = true
        await each.store.close().catch(() => {})
      }
      disk.remove()
    },
  }
}

/** Records every message, and passes it to the oracle. */
function observed({ note, count }: Recorder, { mail }: Oracle): MailObserver {
  return {
    begins(session) {
      const { number, mood, handover } = session
      const { deliveryId, verificationId, recipient, code } = handover
      const what = `${deliveryId} of ${verificationId} ${recipient.address} ${code}`
      note(`mail ${number} (${mood}) begins: ${what}`)
      count(`mail ${mood}`)
      mail.begins(session)
    },
    sends: mail.sends,
    taken(session) {
      note(`mail ${session.number} is taken`)
      count('mail taken')
      mail.taken(session)
    },
  }
}

/** Adds the lines of the server's log to the record of the seed. */
function logOf({ remark, count }: Recorder, life: Life): Log {
  const at = (level: string) => (event: string, fields?: LogFields) => {
    if (level === 'debug' || life.isOver) return
    if (event === 'fell_back') count('fall-back')
    remark(`log ${level} ${event} ${JSON.stringify(fields ?? {})}`)
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
