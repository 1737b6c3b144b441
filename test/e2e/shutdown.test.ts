import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { eventually, executable, killAll, logLines, scratch, start } from '../support/executable.ts'
import { adminToken, call, createApp } from './client.ts'
import { mailSink } from './mail-sink.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

test('SIGTERM during a hundred sends: each recipient gets one code, some after the restart', async () => {
  const dataDir = join(folder, 'sends')
  const env = { OTPMINT_DATA_DIR: dataDir }
  const sink = await mailSink(() => 1500)
  const first = await start(['serve'], env)
  const { liveKey } = await createApp(first, adminToken(dataDir), { port: sink.port })
  const asked = Array.from({ length: 100 }, async (_, index) => {
    const to = `s${index}@example.com`
    // Every second request waits for the mail server.
    const headers: Record<string, string> = index % 2 === 0 ? { prefer: 'wait=3' } : {}
    const answer = await call(
      `${first.base}/v1/verifications`,
      { to },
      { token: liveKey, headers },
    ).catch(() => null)
    return { to, status: answer?.status ?? 0, id: answer?.json.id ?? '' }
  })
  await eventually(() => sink.mails.length >= 10)
  const exited = first.stop()
  const late = await callUntilRefused(first.base, liveKey)
  const exitCode = await exited
  const answers = await Promise.all(asked)
  const beforeRestart = sink.mails.length

  const started = answers.filter(({ status }) => status === 201)
  const second = await start(['serve'], env)
  await eventually(() => started.every(({ to }) => sink.to(to).length > 0))
  const checks: unknown[] = []
  for (const { to, id } of started) {
    const code = sink.to(to)[0]?.code
    const url = `${second.base}/v1/verifications/${id}/check`
    const { status, json } = await call(url, { code }, { token: liveKey })
    checks.push([status, json.valid])
  }
  const stopped = await second.stop()
  await sink.close()

  expect(exitCode).toBe(0)
  expect(logLines(first.stdout()).at(-1)?.event).toBe('stopped')
  expect(started.length).toBeGreaterThan(50)
  expect(beforeRestart).toBeLessThan(started.length)
  for (const { status } of [...answers, ...late]) expect([0, 201, 503]).toContain(status)
  for (const { to } of started) {
    expect(new Set(sink.to(to).map(({ code }) => code)).size).toBe(1)
    // One mail: a clean stop records what was handed over, so that it is not sent again.
    expect(sink.to(to)).toHaveLength(1)
  }
  expect(checks).toEqual(started.map(() => [200, true]))
  expect(stopped).toBe(0)
})

test('a stop waits for the running request, and a second signal does not', async () => {
  const dataDir = join(folder, 'patience')
  const sink = await mailSink(() => 1_500)
  const env = { OTPMINT_DATA_DIR: dataDir }
  const server = await start(['serve'], env)
  const { liveKey } = await createApp(server, adminToken(dataDir), { port: sink.port })
  const ask = (to: string) =>
    call(
      `${server.base}/v1/verifications`,
      { to },
      { token: liveKey, headers: { prefer: 'wait=10' } },
    )
  const waiting = ask('waits@example.com')
  await eventually(() => sink.mails.length === 1)
  const exited = server.stop()
  const answer = await waiting

  expect([answer.status, answer.json.delivery?.status]).toEqual([201, 'sent'])
  expect(await exited).toBe(0)

  const again = await start(['serve'], env)
  const slow = call(
    `${again.base}/v1/verifications`,
    { to: 'other@example.com' },
    { token: liveKey, headers: { prefer: 'wait=10' } },
  ).catch(() => null)
  await eventually(() => sink.mails.length === 2)
  process.kill(again.pid, 'SIGTERM')
  await eventually(() => again.stdout().includes('"stopping"'))
  const codes = [again.stop(), slow]
  expect(await codes[0]).toBe(1)
  await codes[1]
  await sink.close()
})

/** Repeats requests while the server stops, until there is no connection; returns the answers. */
async function callUntilRefused(base: string, token: string): Promise<{ status: number }[]> {
  const seen: { status: number }[] = []
  const once = async () => {
    const url = `${base}/v1/verifications/unknown`
    const answer = await call(url, undefined, { token }).catch(() => null)
    if (answer && answer.status !== 404) seen.push({ status: answer.status })
    return answer === null
  }
  await eventually(once)
  return seen
}
