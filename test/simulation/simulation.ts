import { verifyAudit } from '../../src/domain/audit.ts'
import { Problem } from '../../src/domain/problem.ts'
import { rotateMasterKey } from '../../src/keys/rotate.ts'
import { StartupError } from '../../src/startup-error.ts'
import { createActors } from './actors.ts'
import { type Admin, createAdmin } from './admin.ts'
import { mayBeDeleted, noteRotation } from './ledger.ts'
import { auditKeptMs } from './machine.ts'
import { moods } from './mail-server.ts'
import { type AppModel, type Ask, type Seen, violation } from './model.ts'
import { facts } from './oracle-checks.ts'
import { type Event, faultOf, jumpOf, type Profile, passing, profileOf } from './profile.ts'
import type { Outcome } from './recorder.ts'
import { createRng, type Rng } from './rng.ts'
import { createWorld, type World } from './world.ts'

/** Runs one seed, and checks every answer and every mail. */
export async function simulate({ seed, steps }: { seed: number; steps: number }): Promise<Outcome> {
  const rng = createRng(seed)
  const profile = profileOf(rng.stream('profile'))
  const world = createWorld(seed, rng, profile)
  const { recorder } = world
  process.on('unhandledRejection', recorder.fail)
  try {
    const admin = createAdmin(world.ledger, rng.stream('admin'))
    await begin(world, admin)
    await runSteps(world, profile, admin, { rng, steps })
    await end(world)
  } catch (error) {
    recorder.fail(error)
  } finally {
    process.off('unhandledRejection', recorder.fail)
    await world.remove()
  }
  return recorder.outcome()
}

async function begin(world: World, admin: Admin): Promise<void> {
  await world.boot()
  for (const question of admin.first()) {
    world.ask(question)
    await world.settle()
  }
  await admin.adopt(async (question) => {
    const asked = world.ask(question)
    await world.settle()
    if (!asked.answer) throw new Error('the admin is not answered')
    return asked.answer
  })
}

async function runSteps(
  world: World,
  profile: Profile,
  admin: Admin,
  { rng, steps }: { rng: Rng; steps: number },
): Promise<void> {
  const chance = rng.stream('steps')
  const actors = createActors(world.ledger, rng.stream('actors'), profile.isGuessing)
  let healAt = 0
  let rotating: Promise<void> | null = null
  const events: Record<Event, () => void | Promise<void>> = {
    ask: () => {
      for (const question of actors.next(profile.deeds)) world.ask(question)
    },
    admin: () => {
      const question = admin.next()
      if (question) world.ask(question)
    },
    mood: () => {
      const mood = chance.chance(0.4) ? 'well' : chance.pick([...moods, 'mixed' as const])
      world.recorder.note(`mail servers are ${mood}`)
      world.mailServer.setMood(mood)
      if (!world.mailServer.isWell()) world.ledger.calmMs = null
    },
    jump: () => world.jump(jumpOf(chance, profile.clock)),
    fault: () => {
      if (healAt === 0) world.failDisk(faultOf(chance, profile.clock))
      healAt ||= chance.between(1, 8)
    },
    crash: async () => {
      healAt = 0
      rotating = null
      const downMs = chance.chance(0.7) ? chance.between(0, 5_000) : passing(chance, profile.passes)
      await world.crash({ afterCommit: chance.chance(0.6), downMs })
    },
    restart: async () => {
      // The rotation uses the store of this process, so it cannot go on during a restart.
      if (healAt === 0 && !rotating) await world.restart()
    },
    rotate: async () => {
      if (healAt > 0 || rotating) return
      const running = rotate(world, chance)
      rotating = running
      void running.then(() => {
        if (rotating === running) rotating = null
      })
      // Sometimes it runs beside other steps, so that a crash can interrupt it.
      if (chance.chance(0.3)) return
      await world.drive(running)
      // Reads what was made under the old keys.
      for (const question of actors.next({ resend: 2, check_right: 1 })) world.ask(question)
    },
  }
  for (let step = 0; step < steps; step++) {
    const event = chance.weighted(profile.events)
    await events[event]()
    const pace = chance.weighted({ little: 35, settle: 35, pass: 30 })
    if (pace === 'little') await world.run(chance.below(6))
    else if (pace === 'settle') await world.settle()
    else await world.pass(passing(chance, profile.passes))
    if (healAt > 0 && --healAt === 0) world.healDisk()
  }
  world.healDisk()
}

/** Rotates the master key, or finishes a rotation that a crash interrupted. */
async function rotate(world: World, rng: Rng): Promise<void> {
  const { masterKeys, recorder, machine, ledger } = world
  if (masterKeys.length === 1) masterKeys.unshift({ kind: 'bytes', bytes: rng.bytes(32) })
  const [newMaster, oldMaster] = masterKeys
  if (!newMaster || !oldMaster) throw new Error('there are no master keys')
  recorder.note('the master key is rotated')
  recorder.count('rotation')
  const { ports, life } = machine()
  const noted = noteRotation(ledger)
  const begunElapsed = ledger.time.elapsed()
  try {
    await rotateMasterKey(ports, { oldMaster, newMaster, serverRuns: async () => true })
    if (life.isOver) return
    masterKeys.length = 1
    noted.overAt = ledger.order++
    recorder.note('the master key is rotated to the end')
  } catch (error) {
    if (life.isOver) return
    recorder.note(`the rotation fails: ${error}`)
    const isTold = error instanceof Problem || error instanceof StartupError
    const hasReason = ledger.jumped || ledger.troubleElapsed >= begunElapsed
    if (!isTold || !hasReason) recorder.fail(error)
  }
}

/** Ends all faults, and checks that nothing acknowledged is lost and that all mail is sent. */
async function end(world: World): Promise<void> {
  const { ledger, recorder, mailServer } = world
  recorder.note('all faults stop')
  mailServer.heal()
  for (let hop = 0; hop < 60; hop++) await world.pass(2_000)
  for (const seen of ledger.seen.values()) readAgain(world, seen)
  for (const app of ledger.apps) listAgain(world, app)
  await world.settle()
  for (const seen of ledger.seen.values()) checkAgain(world, seen)
  await world.settle()
  for (let hop = 0; hop < 90; hop++) await world.pass(20_000)
  await world.pass(90_000_000)
  for (let hop = 0; hop < 10; hop++) await world.pass(61_000)
  const { deliveries, audit } = world.machine().store
  const backlog = await world.drive(deliveries.backlog())
  if (backlog.waiting > 0) {
    violation('the outbox does not drain', { ...backlog, waits: await waiting(world) })
  }
  const { keyring } = world.machine().ports
  // With a clock that was ahead, records were deleted early, which verifyAudit reports correctly.
  const keptMs = ledger.jumpedBack.ever ? Number.NEGATIVE_INFINITY : auditKeptMs
  const verifying = verifyAudit({ audit, keyring }, { now: world.time.clock.now(), keptMs })
  const verdict = await world.drive(verifying)
  if (!verdict.ok) violation('the audit log is broken', verdict)
  const state = await world.drive(audit.state())
  const records = await world.drive(audit.after(0, 1_000))
  const ids = new Set(records.map(({ requestId }) => requestId))
  const missing = ledger.asks.find((ask) => isChange(ask) && !ids.has(ask.answer?.requestId ?? ''))
  if (state?.cutId === 0 && missing) violation('a change has no audit record', facts(missing))
}

/** True for an acknowledged request of the admin that has created or deleted something. */
function isChange({ kind, method, answer }: Ask): boolean {
  if (kind !== 'admin') return false
  return method === 'DELETE' ? answer?.status === 204 : answer?.status === 201
}

/** Reads the deliveries that have not ended from the store. */
async function waiting({ ledger, machine, drive }: World): Promise<object[]> {
  const { deliveries } = machine().store
  const all: object[] = []
  for (const { id, app, mode } of ledger.seen.values()) {
    const history = await drive(deliveries.history({ appId: app.id, mode, id }))
    all.push(...history.filter(({ status }) => status === 'queued' || status === 'deferred'))
  }
  return all
}

function readAgain(world: World, seen: Seen): void {
  const key = seen.app.keys.find(({ mode, isLeaving }) => mode === seen.mode && !isLeaving)
  if (!key || mayBeDeleted(seen)) return
  const place = { kind: 'read' as const, method: 'GET', path: `/v1/verifications/${seen.id}` }
  world.ask({ ...place, app: seen.app, key, about: seen })
}

function listAgain(world: World, app: AppModel): void {
  for (const mode of ['live', 'test']) {
    const key = app.keys.find((each) => each.mode === mode && !each.isLeaving)
    if (!key || app.isLeaving) continue
    const place = { kind: 'list' as const, method: 'GET', path: '/v1/verifications?limit=100' }
    world.ask({ ...place, app, key })
  }
}

/** Checks the right code of a verification; it must be accepted if it is pending. */
function checkAgain(world: World, seen: Seen): void {
  const { app, mode, id, code, start } = seen
  const key = app.keys.find((each) => each.mode === mode && !each.isLeaving)
  if (!key || code === null || app.isLeaving || start?.kind !== 'start') return
  const place = { kind: 'check' as const, method: 'POST', path: `/v1/verifications/${id}/check` }
  world.ask({ ...place, app, key, about: seen, body: { code }, code })
}
