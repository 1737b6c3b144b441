import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../support/port.ts'
import { type Program, programs } from './programs.ts'

export type Balancer = {
  port: number
  program: Program
  stop(): Promise<void>
}

/** A server behind a balancer, and the port of its health checks where that is another. */
export type Behind = { port: number; checkPort?: number }

export type BalancerOptions = {
  mode: 'http' | 'tcp'
  servers: Behind[]
  /** The request of a health check, such as `GET /readyz`. */
  check: string
}

/** Starts HAProxy before servers on loopback; it asks each whether it is well every 200 ms. */
export async function startHaproxy(options: BalancerOptions): Promise<Balancer> {
  const all = programs('haproxy')
  const port = freePort()
  const config = join(all.folder, 'haproxy.cfg')
  writeFileSync(config, configuration(port, options))
  const program = all.start('haproxy', ['/usr/sbin/haproxy', '-f', config, '-db'])
  return { port, program, stop: all.stop }
}

function configuration(port: number, { mode, servers, check }: BalancerOptions): string {
  const lines = servers.map(({ port: to, checkPort = to }, index) => {
    const watched = `check port ${checkPort} inter 200ms fall 2 rise 1`
    return `  server s${index} 127.0.0.1:${to} ${watched} on-marked-down shutdown-sessions`
  })
  return `
global
  maxconn 4000
defaults
  mode ${mode}
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  timeout check 1s
listen all
  bind 127.0.0.1:${port}
  balance roundrobin
  option httpchk ${check}
${lines.join('\n')}
`
}
