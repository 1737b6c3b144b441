import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SMTPServer } from 'smtp-server'

export type Arrived = {
  from: string
  recipients: string[]
  raw: string
  encrypted: boolean
  user: string | null
}

export type MailServer = {
  port: number
  arrived: Arrived[]
  /** The user names of every login that was tried. */
  logins: string[]
  close(): Promise<void>
}

/** A certificate for localhost, 127.0.0.1 and names, and the authority that signed it. */
export type Certificate = {
  ca: string
  caFile: string
  key: string
  keyFile: string
  cert: string
  certFile: string
  remove(): void
}

export function makeCertificate(hosts: string[] = ['mail.acme.test']): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'otpmint-tls-'))
  const file = (name: string) => join(folder, name)
  const dns = ['localhost', ...hosts].map((host) => `DNS:${host}`).join(',')
  const names = `subjectAltName=${dns},IP:127.0.0.1\n`
  writeFileSync(file('names'), names)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = ['-subj', '/CN=OtpMint test', '-keyout', file('ca.key'), '-out', file('ca.pem')]
  const server = ['-subj', '/CN=localhost', '-keyout', file('key.pem'), '-out', file('request')]
  const signedBy = ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial']
  openssl(['req', '-x509', ...newKey, '-days', '2', ...authority])
  openssl(['req', ...newKey, ...server])
  const signed = ['-in', file('request'), '-extfile', file('names'), '-out', file('cert.pem')]
  openssl(['x509', '-req', '-days', '2', ...signedBy, ...signed])
  return {
    ca: readFileSync(file('ca.pem'), 'utf8'),
    caFile: file('ca.pem'),
    key: readFileSync(file('key.pem'), 'utf8'),
    keyFile: file('key.pem'),
    cert: readFileSync(file('cert.pem'), 'utf8'),
    certFile: file('cert.pem'),
    remove: () => rmSync(folder, { recursive: true }),
  }
}

function openssl(args: string[]): void {
  const { success, stderr } = Bun.spawnSync(['openssl', ...args])
  if (!success) throw new Error(`openssl ${args[0]}: ${stderr.toString()}`)
}

/** Starts the npm smtp-server on a free loopback port; a login that is given is required. */
export async function mailServer(
  options: {
    security?: 'tls' | 'starttls' | 'none'
    certificate?: Certificate
    login?: { user: string; password: string }
    /** Also accepts the login before encryption. */
    plainLogin?: boolean
    port?: number
  } = {},
): Promise<MailServer> {
  const { security = 'none', certificate, login, plainLogin = security === 'none' } = options
  const arrived: Arrived[] = []
  const logins: string[] = []
  const server = new SMTPServer({
    secure: security === 'tls',
    ...(certificate ? { key: certificate.key, cert: certificate.cert } : {}),
    disabledCommands: security === 'none' ? ['STARTTLS'] : [],
    authOptional: !login,
    allowInsecureAuth: plainLogin,
    disableReverseLookup: true,
    closeTimeout: 10,
    onAuth({ username, password }, _session, done) {
      logins.push(username)
      const right = username === login?.user && password === login.password
      if (right) return done(null, { user: username })
      done(Object.assign(new Error('5.7.8 bad credentials'), { responseCode: 535 }))
    },
    onData(stream, session, done) {
      const chunks: Uint8Array[] = []
      stream.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        arrived.push({
          from: mailFrom ? mailFrom.address : '',
          recipients: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString('latin1'),
          encrypted: session.secure,
          user: session.user ?? null,
        })
        done()
      })
    },
  })
  // Clients that refuse a certificate hang up and report it themselves.
  server.on('error', () => {})
  await new Promise<void>((done) => server.listen(options.port ?? 0, '127.0.0.1', done))
  return {
    port: server.server.address().port,
    arrived,
    logins,
    close: () => new Promise((done) => server.close(done)),
  }
}

/**
 * What a scripted server answers to each command: a reply, or `hang` (no reply), `close` (hangs up)
 * or `drip` (a reply without an end). A list is used in turn; its last element repeats. A function
 * is given the command. `continued` is the line after a reply 334.
 */
export type Script = Partial<Record<Step, ScriptedReply | ScriptedReply[]>>
type ScriptedReply = string | ((line: string) => string)
type Step = 'greeting' | Command | 'continued' | 'message'
type Command = 'EHLO' | 'STARTTLS' | 'AUTH' | 'MAIL FROM' | 'RCPT TO' | 'DATA'

export type ScriptedServer = {
  port: number
  /** Every received line outside of messages, and the dot that ends a message. */
  commands: string[]
  connections(): number
  /** Connections that are open now. */
  open(): number
  /** Ends every connection; new ones are accepted. */
  hangUp(): void
  close(): void
}

const usual: Required<Script> = {
  greeting: '220 mail.acme.test ESMTP',
  EHLO: '250 mail.acme.test',
  STARTTLS: '502 5.5.1 no such command',
  AUTH: '235 2.7.0 welcome',
  continued: '535 5.7.8 no',
  'MAIL FROM': '250 2.1.0 ok',
  'RCPT TO': '250 2.1.5 ok',
  DATA: '354 go ahead',
  message: '250 2.0.0 queued',
}

/** Milliseconds between the bytes of a reply without an end. */
const dripMs = 10

type ScriptOf = (connection: { number: number; open: number }) => Script

/**
 * Starts an SMTP server that answers by a script, on a free loopback port. A function chooses the
 * script of each connection by its number, from 1, and by how many are open including it.
 */
export async function scriptedServer(script: Script | ScriptOf = {}): Promise<ScriptedServer> {
  const scriptOf = typeof script === 'function' ? script : () => script
  const commands: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    const replies = { ...usual, ...scriptOf({ number: connections, open: sockets.size }) }
    const counts: Partial<Record<keyof Script, number>> = {}
    let isContinued = false
    const drip = () => {
      if (socket.writable) socket.write('2')
      if (!socket.destroyed) setTimeout(drip, dripMs)
    }
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    const answer = (step: keyof Script, line = '') => {
      const list = [replies[step]].flat()
      const chosen = list[counts[step] ?? 0] ?? list.at(-1) ?? ''
      const reply = typeof chosen === 'function' ? chosen(line) : chosen
      counts[step] = (counts[step] ?? 0) + 1
      isContinued = reply.startsWith('334')
      if (reply === 'close') socket.destroy()
      else if (reply === 'drip') drip()
      else if (reply !== 'hang') socket.write(`${reply}\r\n`)
      // A server that answers 421 ends the session (RFC 5321 section 3.8).
      if (reply.startsWith('421')) socket.end()
    }
    socket.on(
      'data',
      lineReader((line, inMessage) => {
        if (inMessage) {
          if (line === '.') {
            commands.push(line)
            answer('message')
          }
          return line !== '.'
        }
        commands.push(line)
        const step = isContinued ? 'continued' : stepOf(line)
        if (step) answer(step, line)
        else socket.write(line === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n')
        return step === 'DATA' && [replies.DATA].flat().every((reply) => /^3/.test(String(reply)))
      }),
    )
    answer('greeting')
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  const hangUp = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    commands,
    connections: () => connections,
    open: () => sockets.size,
    hangUp,
    close: () => {
      hangUp()
      server.close()
    },
  }
}

function stepOf(line: string): keyof Script | undefined {
  const steps = ['EHLO', 'STARTTLS', 'AUTH', 'MAIL FROM', 'RCPT TO', 'DATA'] as const
  return steps.find((step) => line.toUpperCase().startsWith(step))
}

/** Splits the input into lines; `onLine` returns whether the next line belongs to a message. */
function lineReader(onLine: (line: string, inMessage: boolean) => boolean) {
  let rest = ''
  let inMessage = false
  return (chunk: Uint8Array) => {
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\r\n')
    rest = lines.pop() ?? ''
    for (const line of lines) inMessage = onLine(line, inMessage)
  }
}

/** Starts Postfix's smtp-sink, which accepts and discards every message. */
export async function smtpSink(): Promise<{ port: number; close(): void }> {
  const port = await freePort()
  const path = Bun.which('smtp-sink', { PATH: `${process.env['PATH']}:/usr/sbin` })
  if (!path) throw new Error('smtp-sink is missing: install the package postfix')
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const sink = Bun.spawn([path, ...asNobody, `127.0.0.1:${port}`, '100'], { stderr: 'ignore' })
  await until(() => canConnect(port))
  return { port, close: () => sink.kill() }
}

async function freePort(): Promise<number> {
  const server = await scriptedServer()
  server.close()
  return server.port
}

function canConnect(port: number): Promise<boolean> {
  return Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } }).then(
    (socket) => {
      socket.end()
      return true
    },
    () => false,
  )
}

/** Repeats a check until it is true; the test's timeout ends it otherwise. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(5)
}
