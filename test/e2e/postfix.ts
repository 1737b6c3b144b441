import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { eventually, finished, scratch } from '../support/executable.ts'
import { freePort } from '../support/port.ts'
import { type Certificate, type MailServer, mailServer } from '../support/smtp.ts'

export type Postfix = {
  port: number
  /** The mails that it relayed. */
  arrived: MailServer['arrived']
  log(): string
  close(): Promise<void>
}

type Login = { user: string; password: string }

/**
 * A mailbox whose mail Postfix accepts and hands on to the server at this port, and the command that
 * gets what Postfix returns to the sender's domain, as the user nobody.
 */
export type Returning = { mailbox: string; port: number; domain: string; argv: string[] }

/**
 * Starts a separate Postfix: configuration, queue and log in a temporary folder, one loopback port.
 * It knows the mailboxes of example.com, and relays accepted mail to a mail server of the test. It
 * requires STARTTLS and the login; without one it does as Debian configures it: it offers STARTTLS
 * and takes mail from this machine. Needs root.
 */
export async function startPostfix(
  certificate: Certificate,
  login: Login | null,
  returning: Returning | null = null,
): Promise<Postfix> {
  if (process.getuid?.() !== 0) throw new Error('Postfix starts as root only')
  const { folder, remove } = scratch()
  // Its processes run as other users, who need access to the folder.
  chmodSync(folder, 0o755)
  const relay = await mailServer()
  const port = freePort()
  const queue = join(folder, 'queue')
  for (const path of ['conf', 'data', 'queue', 'queue/private', 'queue/public', 'queue/pid']) {
    mkdirSync(join(folder, path))
  }
  await finished(['chown', 'postfix', join(folder, 'data'), join(queue, 'private')])
  await finished(['chown', 'postfix:postdrop', join(queue, 'public')])
  writeFileSync(join(folder, 'tls.pem'), certificate.key + certificate.cert, { mode: 0o600 })
  const access = login ? forLogins : asDebian
  writeFileSync(
    join(folder, 'conf/main.cf'),
    mainCf(folder, relay.port) + access + transports(returning),
  )
  writeFileSync(join(folder, 'conf/master.cf'), masterCf(port) + pipeTo(returning))
  const authenticator = login && (await startAuthenticator(join(queue, 'private/auth'), login))

  const log = () => {
    try {
      return readFileSync(join(folder, 'maillog'), 'utf8')
    } catch {
      return ''
    }
  }
  const master = Bun.spawn(['postfix', '-c', join(folder, 'conf'), 'start-fg'], {
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  await eventually(() => master.exitCode !== null || greets(port))
  if (master.exitCode !== null) throw new Error(`Postfix did not start:\n${log()}`)
  return {
    port,
    arrived: relay.arrived,
    log,
    async close() {
      // Its processes are one process group; SIGTERM would take five seconds.
      process.kill(-Number(readFileSync(join(queue, 'pid/master.pid'), 'utf8')), 'SIGKILL')
      await master.exited
      authenticator?.close()
      await relay.close()
      remove()
    },
  }
}

function mainCf(folder: string, relayPort: number): string {
  return `
compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
maillog_file = ${folder}/maillog
maillog_file_prefixes = ${folder}
multi_instance_enable = no
multi_instance_directories =
myhostname = mail.acme.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtp_host_lookup = native
relay_domains = example.com
relay_recipient_maps = inline:{user@example.com=ok, second@example.com=ok, late@example.com=ok}
relayhost = [127.0.0.1]:${relayPort}
smtputf8_enable = no
smtpd_tls_chain_files = ${folder}/tls.pem
`
}

const forLogins = `
mynetworks =
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sender_restrictions = permit_sasl_authenticated, reject
`

const asDebian = `
mynetworks = 127.0.0.0/8
smtpd_tls_security_level = may
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
`

function transports(returning: Returning | null): string {
  if (returning === null) return ''
  const { mailbox, port, domain } = returning
  const maps = [`{${mailbox} = relay:[127.0.0.1]:${port}}`, `{${domain} = returned:}`]
  return `transport_maps = inline:{ ${maps.join(', ')} }\n`
}

function pipeTo(returning: Returning | null): string {
  if (returning === null) return ''
  return `returned unix - n n - - pipe flags=q user=nobody argv=${returning.argv.join(' ')}\n`
}

/** Services without chroot, and only those that a relay needs. */
function masterCf(port: number): string {
  const services = [
    `127.0.0.1:${port} inet n - n - - smtpd`,
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'proxymap unix - - n - - proxymap',
    'anvil unix - - n - 1 anvil',
    'smtp unix - - n - - smtp',
    'relay unix - - n - - smtp',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
  return `${services.join('\n')}\n`
}

/** The server half of Dovecot's authentication protocol, which Postfix speaks: PLAIN, one user. */
async function startAuthenticator(path: string, { user, password }: Login): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.write('VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n')
    let rest = ''
    socket.on('data', (chunk: Uint8Array) => {
      const lines = (rest + Buffer.from(chunk).toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines.filter((text) => text.startsWith('AUTH\t'))) {
        const [, id = '', ...words] = line.split('\t')
        const response = words.find((word) => word.startsWith('resp='))?.slice(5) ?? ''
        const right = Buffer.from(response, 'base64').toString() === `\0${user}\0${password}`
        socket.write(right ? `OK\t${id}\tuser=${user}\n` : `FAIL\t${id}\tuser=${user}\n`)
      }
    })
  })
  await new Promise<void>((done) => server.listen(path, done))
  chmodSync(path, 0o666)
  return server
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const answered = (yes: boolean) => () => resolve(yes)
    // A connection that was made just before Postfix listened may hang.
    setTimeout(answered(false), 1_000)
    Bun.connect({
      hostname: '127.0.0.1',
      port,
      socket: {
        data(socket) {
          resolve(true)
          socket.end('QUIT\r\n')
        },
        close: answered(false),
        connectError: answered(false),
      },
    }).catch(answered(false))
  })
}
