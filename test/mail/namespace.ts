import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import type { Zone } from '../support/dns.ts'
import { eventually, scratch } from '../support/executable.ts'

/**
 * A network of its own, with nothing in it but loopback: names of other people's servers lead to
 * servers of the test there. Sockets of the file system lead in and out of it.
 */
export type Namespace = {
  /** Put before a command, runs it inside. */
  through: string[]
  /** The address of a name; it looks public. */
  addressOf(name: string): string
  /** Replaces what the DNS has besides the addresses of the names. */
  publish(zone: Zone): Promise<void>
  /** Makes a server that listens on a loopback port outside reachable inside. */
  lead(name: string, port: number, outsidePort: number): Promise<void>
  /** A loopback port outside that leads to one inside. */
  reach(port: number): Promise<number>
  close(): Promise<void>
}

/**
 * Opens a network namespace where these names have addresses, in the DNS and for programs that read
 * /etc/hosts. Needs root.
 */
export async function openNamespace(names: string[]): Promise<Namespace> {
  if (process.getuid?.() !== 0) throw new Error('a network namespace opens as root only')
  const { folder, remove } = scratch()
  const file = (name: string) => join(folder, name)
  const addressOf = (name: string) => `9.9.7.${names.indexOf(name) + 1}`
  const hosts = ['127.0.0.1 localhost', ...names.map((name) => `${addressOf(name)} ${name}`)]
  writeFileSync(file('hosts'), `${hosts.join('\n')}\n`)
  writeFileSync(file('resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
  const setUp = [
    'ip link set lo up',
    'ip route add local 9.9.7.0/24 dev lo',
    ...['hosts', 'resolv.conf'].map((name) => `mount --bind ${file(name)} /etc/${name}`),
    'echo ready; exec sleep infinity',
  ].join(' && ')
  const holder = spawn(['unshare', '--net', '--mount', 'sh', '-c', setUp])
  await isReady(holder)
  const through = ['nsenter', '--target', String(holder.pid), '--net', '--mount', '--']
  const nameServer = await startNameServer(through)
  const known = names.map((name) => [`a ${name}`, [addressOf(name)]])
  const publish = (zone: Zone) => nameServer.publish({ ...Object.fromEntries(known), ...zone })
  await publish({})
  const children = [holder, nameServer.child]
  const servers: { close(): void }[] = []
  let sockets = 0

  const bridge = async (from: string[], to: string[]) => {
    const script = join(import.meta.dir, 'bridge.ts')
    const child = spawn([...through, process.execPath, script, ...from, ...to])
    children.push(child)
    await isReady(child)
  }
  return {
    through,
    addressOf,
    publish,
    async lead(name, port, outsidePort) {
      const path = file(`socket-${sockets++}`)
      await listen(path, { host: '127.0.0.1', port: outsidePort })
      await bridge(['tcp', addressOf(name), String(port)], ['unix', path])
    },
    async reach(port) {
      const path = file(`socket-${sockets++}`)
      await bridge(['unix', path], ['tcp', '127.0.0.1', String(port)])
      return listen({ host: '127.0.0.1', port: 0 }, { path })
    },
    async close() {
      for (const server of servers) server.close()
      for (const child of children.reverse()) child.kill('SIGKILL')
      await Promise.all(children.map((child) => child.exited))
      remove()
    },
  }

  /** Listens outside, and passes connections on; returns the port, 0 for a path. */
  async function listen(
    at: string | { host: string; port: number },
    to: { path: string } | { host: string; port: number },
  ): Promise<number> {
    const server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ ...to, allowHalfOpen: true })
      near.pipe(far).pipe(near)
      near.on('error', () => far.destroy())
      far.on('error', () => near.destroy())
    })
    servers.push(server)
    await new Promise<void>((done) => server.listen(at, done))
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  }
}

/** `publish` waits until the name server answers with what is in the zone. */
async function startNameServer(through: string[]) {
  const script = join(import.meta.dir, 'name-server.ts')
  const child = spawn([...through, process.execPath, script, '127.0.0.1', '53'])
  const heard = await isReady(child)
  let changes = 0
  return {
    child,
    async publish(zone: Zone) {
      child.stdin.write(`${JSON.stringify(zone)}\n`)
      await child.stdin.flush()
      changes++
      await eventually(() => heard().split('changed').length > changes)
    },
  }
}

function spawn(command: string[]) {
  return Bun.spawn(command, {
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Returns what it has said so far, once it is ready. */
async function isReady(child: ReturnType<typeof spawn>): Promise<() => string> {
  let said = ''
  const read = async () => {
    for await (const chunk of child.stdout) said += Buffer.from(chunk).toString()
  }
  void read()
  await eventually(() => said.includes('ready') || child.exitCode !== null)
  if (said.includes('ready')) return () => said
  throw new Error(`it did not start: ${await new Response(child.stderr).text()}`)
}
