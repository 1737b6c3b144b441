import { afterAll, expect, setDefaultTimeout, test } from 'bun:test'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../support/port.ts'
import { scratch } from './fixture.ts'

setDefaultTimeout(60_000)
const { newPath, remove } = scratch('lost-log')
afterAll(remove)

const main = join(import.meta.dir, '../../src/main.ts')

/** Starts a server whose log goes to this file descriptor. */
async function serve(stdout: number) {
  const [port, metricsPort] = [freePort(), freePort()]
  const server = Bun.spawn([process.execPath, main, 'serve'], {
    stdout,
    stderr: 'pipe',
    env: {
      OTPMINT_DATA_DIR: newPath(),
      OTPMINT_PORT: String(port),
      OTPMINT_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
      OTPMINT_DASHBOARD_LISTEN: 'off',
      OTPMINT_LOG_LEVEL: 'debug',
    },
  })
  const ask = (path = '/healthz') => fetch(`http://127.0.0.1:${port}${path}`)
  const until = Date.now() + 20_000
  while (!(await ask().catch(() => null))) {
    if (Date.now() > until) throw new Error(await new Response(server.stderr).text())
    await Bun.sleep(50)
  }
  return {
    pid: server.pid,
    /** Sends requests that write one log line each. */
    async busy(count: number) {
      for (let done = 0; done < count; done += 100) {
        await Promise.all(Array.from({ length: 100 }, () => ask('/v1/verifications')))
      }
    },
    async lost(): Promise<number> {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      return Number(/otpmint_log_lost_total\{stream="stdout"\} (\d+)/.exec(text)?.[1])
    },
    /** Waits until lost lines are counted; the metric is updated every five seconds. */
    async lostSome(): Promise<boolean> {
      for (let tries = 0; tries < 70; tries++) {
        if ((await this.lost()) > 0) return true
        await Bun.sleep(100)
      }
      return false
    },
    async stop() {
      const begun = performance.now()
      server.kill('SIGTERM')
      const code = await server.exited
      return { code, seconds: (performance.now() - begun) / 1000 }
    },
  }
}

function fifo(): string {
  const path = newPath()
  Bun.spawnSync(['mkfifo', path])
  return path
}

test('a hanging reader of the log loses lines; the server still answers and ends on SIGTERM', async () => {
  // Both ends of the pipe are open, and nothing is read.
  const pipe = openSync(fifo(), constants.O_RDWR)
  const server = await serve(pipe)

  await server.busy(9_000)
  const lost = await server.lostSome()
  const memory = Number(
    /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1],
  )
  const { code, seconds } = await server.stop()
  closeSync(pipe)

  expect(lost).toBe(true)
  expect(memory / 1024).toBeLessThan(600)
  expect(code).toBe(0)
  expect(seconds).toBeLessThan(8)
})

test('the server goes on when the reader of its log is gone', async () => {
  const path = fifo()
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY)
  const server = await serve(writer)
  closeSync(writer)
  closeSync(reader)

  await server.busy(200)
  const lost = await server.lostSome()
  const { code } = await server.stop()

  expect(lost).toBe(true)
  expect(code).toBe(0)
})

test('the server goes on when the disk of its log is full', async () => {
  const full = openSync('/dev/full', 'w')
  const server = await serve(full)
  closeSync(full)

  await server.busy(200)
  const lost = await server.lostSome()
  const { code } = await server.stop()

  expect(lost).toBe(true)
  expect(code).toBe(0)
})

test('SIGHUP ends a server like SIGTERM, and not one that was started with nohup', async () => {
  const script = `exec "$0" "$@" > "$OUT"`
  const results: [number | null, boolean][] = []
  for (const prefix of [[], ['nohup']]) {
    const out = newPath()
    const command = [...prefix, process.execPath, main, 'serve']
    const server = Bun.spawn(['sh', '-c', script, ...command], {
      env: {
        OUT: out,
        PATH: process.env['PATH'],
        OTPMINT_DATA_DIR: newPath(),
        OTPMINT_PORT: '0',
        OTPMINT_METRICS_LISTEN: 'off',
        OTPMINT_DASHBOARD_LISTEN: 'off',
      },
      stderr: 'ignore',
    })
    const said = () => {
      try {
        return readFileSync(out, 'utf8')
      } catch {
        return ''
      }
    }
    while (!said().includes('"listening"')) await Bun.sleep(50)
    server.kill('SIGHUP')
    await Promise.race([server.exited, Bun.sleep(1_500)])
    results.push([server.exitCode, said().includes('"stopped"')])
    server.kill('SIGTERM')
    await server.exited
  }

  expect(results).toEqual([
    [0, true],
    [null, false],
  ])
})

test('a start warns of a low limit on open files', async () => {
  const command = ['sh', '-c', 'ulimit -n 256; exec "$0" "$@"', process.execPath, main, 'serve']
  const server = Bun.spawn(command, {
    env: {
      OTPMINT_DATA_DIR: newPath(),
      OTPMINT_PORT: '0',
      OTPMINT_METRICS_LISTEN: 'off',
      OTPMINT_DASHBOARD_LISTEN: 'off',
    },
  })
  let said = ''
  const decoder = new TextDecoder()
  for await (const chunk of server.stdout) {
    said += decoder.decode(chunk)
    if (said.includes('"listening"')) break
  }
  server.kill('SIGTERM')
  await server.exited

  expect(said).toContain('"event":"few_open_files"')
  expect(said).toContain('"count":256')
})
