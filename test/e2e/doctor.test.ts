import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { executable, killAll, run, scratch, start } from '../support/executable.ts'
import { mailServer, makeCertificate, scriptedServer } from '../support/smtp.ts'
import type { Json } from './client.ts'

setDefaultTimeout(60_000)
executable()
const { folder, remove } = scratch()
afterEach(killAll)
afterAll(remove)

test('doctor tells a good mail server from bad ones, beside a running server', async () => {
  const certificate = makeCertificate()
  const login = { user: 'codes', password: 'right-password' }
  const good = await mailServer({ security: 'starttls', certificate, login })
  const deaf = await scriptedServer()
  deaf.close()
  const dataDir = join(folder, 'doctor')
  const env = { OTPMINT_DATA_DIR: dataDir, NODE_EXTRA_CA_CERTS: certificate.caFile }
  const server = await start(['serve'], env)
  const register = async (name: string, port: number, password: string) => {
    const words = ['--smtp-host', 'localhost', '--smtp-port', String(port), '--smtp-user', 'codes']
    const from = ['--smtp-from', 'codes@acme.test', '--smtp-password-file', '-', '--json']
    const created = await run(['app', 'create', name, ...words, ...from], env, { stdin: password })
    return String((JSON.parse(created.stdout) as Json).id)
  }
  const works = await register('Works', good.port, login.password)
  const wrong = await register('Wrong', good.port, 'wrong-password')
  const silent = await register('Silent', deaf.port, login.password)

  const doctor = (id: string, ...more: string[]) => run(['doctor', '--app', id, ...more], env)
  const ofWorks = await doctor(works, '--send-to', 'me@example.com')
  const ofWrong = await doctor(wrong)
  const ofSilent = await doctor(silent)
  await server.stop()
  await good.close()
  certificate.remove()

  expect(ofWorks.exitCode, ofWorks.stdout).toBe(0)
  expect(good.arrived.map(({ recipients }) => recipients)).toEqual([['me@example.com']])
  expect(ofWorks.stdout).toMatch(
    /6 digits: at most 988 guesses a year, 0\.0988 %, for one recipient of one app/,
  )
  expect([ofWrong.exitCode, ofWrong.stdout]).toEqual([
    1,
    expect.stringMatching(/login was refused.*535 5\.7\.8/s),
  ])
  expect(ofSilent.exitCode).toBe(1)
  expect(ofSilent.stdout).toMatch(/failed {3}mail of Silent +localhost:\d+ connect/)
  for (const { stdout, stderr } of [ofWorks, ofWrong, ofSilent]) {
    expect(stdout + stderr).not.toMatch(/(right|wrong)-password|me@example/)
  }
})
