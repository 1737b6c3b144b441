import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { eventually, scratch } from '../support/executable.ts'

export type Dovecot = { log(): string; close(): Promise<void> }

type Options = {
  /** Where it listens, with STARTTLS. */
  address: string
  port: number
  tls: { key: string; cert: string }
  /** The server that takes the mail, without a login. */
  relay: { host: string; port: number }
  /** Space-separated, as Dovecot names them. */
  mechanisms: string
  /** The login by password. */
  login: { user: string; password: string }
  /** Public keys (PEM) by id that sign access tokens, whose `sub` is the user. */
  keys: Record<string, string>
  /** A command that runs it, such as `nsenter`. */
  through: string[]
}

/** Starts a separate Dovecot that takes mail for submission. Needs root. */
export async function startDovecot(options: Options): Promise<Dovecot> {
  const { folder, remove } = scratch()
  chmodSync(folder, 0o755)
  const file = (name: string) => join(folder, name)
  mkdirSync(file('keys/default/RS256'), { recursive: true })
  for (const [id, key] of Object.entries(options.keys)) {
    writeFileSync(file(`keys/default/RS256/${id}`), key)
  }
  const { user, password } = options.login
  writeFileSync(file('users'), `${user}:{PLAIN}${password}\n`)
  writeFileSync(file('cert.pem'), options.tls.cert)
  writeFileSync(file('key.pem'), options.tls.key, { mode: 0o600 })
  writeFileSync(file('oauth2.conf'), oauth2Conf(folder))
  writeFileSync(file('dovecot.conf'), dovecotConf(folder, options))
  const log = () => {
    try {
      return readFileSync(file('log'), 'utf8')
    } catch {
      return ''
    }
  }
  const command = [...options.through, 'dovecot', '-F', '-c', file('dovecot.conf')]
  const master = Bun.spawn(command, {
    env: { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await eventually(() => log().includes('starting up') || master.exitCode !== null)
  if (master.exitCode !== null) {
    throw new Error(`Dovecot did not start: ${await new Response(master.stderr).text()}${log()}`)
  }
  return {
    log,
    async close() {
      master.kill('SIGTERM')
      await master.exited
      remove()
    },
  }
}

function oauth2Conf(folder: string): string {
  return `
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=${folder}/keys/
username_attribute = sub
`
}

function dovecotConf(folder: string, { address, port, relay, mechanisms }: Options): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log
auth_verbose = yes
auth_failure_delay = 0
protocols = submission
listen = ${address}
ssl = required
ssl_cert = <${folder}/cert.pem
ssl_key = <${folder}/key.pem
ssl_dh =
auth_mechanisms = ${mechanisms}
mail_location = maildir:${folder}/mail/%u
first_valid_uid = 1
submission_relay_host = ${relay.host}
submission_relay_port = ${relay.port}
submission_relay_trusted = no
hostname = mail.acme.test
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${folder}/oauth2.conf
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5
  args = ${folder}/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=${folder}/mail/%u
}
service submission-login {
  inet_listener submission {
    port = ${port}
  }
}
# Otherwise a refused login delays the next one from the same address.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
`
}
