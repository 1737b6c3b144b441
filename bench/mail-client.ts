/**
 * Sends composed messages to one mail server without OtpMint, from a separate process
 * (`sendMails`): the ceiling. `raw` writes SMTP to sockets; `nodemailer` uses that library.
 */
import { createTransport } from 'nodemailer'

export type MailJob = {
  client: 'raw' | 'nodemailer'
  port: number
  /** A file with one message. */
  message: string
  /** Mails that are sent before the measured ones. */
  warmUp: number
  count: number
  connections: number
  /** For `raw`: sender, recipient and DATA in one packet. */
  pipelining: boolean
}

/** Returns the seconds that `count` mails took. */
export async function sendMails(job: MailJob): Promise<number> {
  const command = [process.execPath, import.meta.path, JSON.stringify(job)]
  const { stdout, exited } = Bun.spawn(command, { stdio: ['ignore', 'pipe', 'inherit'] })
  const seconds = Number(await new Response(stdout).text())
  if ((await exited) !== 0 || !(seconds > 0)) throw new Error(`${job.client} could not send`)
  return seconds
}

/** Sends so many mails. */
type Client = (count: number) => Promise<void>

if (import.meta.main) {
  const job = JSON.parse(process.argv[2] ?? '') as MailJob
  const message = await Bun.file(job.message).text()
  const send = job.client === 'raw' ? await rawClient(job, message) : poolClient(job, message)
  if (job.warmUp > 0) await send(job.warmUp)
  const begunAt = performance.now()
  await send(job.count)
  process.stdout.write(String((performance.now() - begunAt) / 1000))
  process.exit(0)
}

function poolClient({ port, connections }: MailJob, raw: string): Client {
  const pool = { pool: true, maxConnections: connections, maxMessages: Infinity } as const
  const transport = createTransport({ ...pool, host: '127.0.0.1', port, ignoreTLS: true })
  return async (count) => {
    let left = count
    const sendSome = async () => {
      while (left > 0) {
        const envelope = { from: 'codes@bench.example', to: `person-${left--}@bench.example` }
        await transport.sendMail({ envelope, raw })
      }
    }
    await Promise.all(Array.from({ length: connections * 2 }, sendSome))
  }
}

/** A connection that sends commands one after another and waits for each reply. */
type Session = { exchange(text: string, replies?: number): Promise<void> }

async function rawClient(job: MailJob, message: string): Promise<Client> {
  const { port, connections, pipelining } = job
  const sessions = await Promise.all(Array.from({ length: connections }, () => openSession(port)))
  const body = `${message.replace(/^\./gm, '..')}\r\n.\r\n`
  const envelope = ['MAIL FROM:<codes@bench.example>', 'RCPT TO:<person@bench.example>', 'DATA']
  const lines = envelope.map((line) => `${line}\r\n`)

  return async (count) => {
    let left = count
    await Promise.all(
      sessions.map(async ({ exchange }) => {
        while (left-- > 0) {
          if (pipelining) await exchange(lines.join(''), lines.length)
          else for (const line of lines) await exchange(line)
          await exchange(body)
        }
      }),
    )
  }
}

async function openSession(port: number): Promise<Session> {
  let missing = 1
  let done = () => {}
  let fail = (_: Error) => {}
  const replies = () =>
    new Promise<void>((resolve, reject) => {
      done = resolve
      fail = reject
    })
  const greeted = replies()
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port,
    socket: {
      data(_, chunk) {
        const text = chunk.toString('latin1')
        if (text.startsWith('4') || text.startsWith('5')) fail(new Error(text))
        // The sink's replies are complete lines; all lines but the last have a hyphen.
        for (const line of text.split('\r\n')) if (line.charAt(3) === ' ') missing--
        if (missing === 0) done()
      },
      close: () => fail(new Error('the sink closed the connection')),
    },
  })
  socket.setNoDelay(true)
  const exchange = (text: string, count = 1) => {
    missing = count
    const answered = replies()
    socket.write(text)
    return answered
  }
  await greeted
  await exchange('EHLO bench.example\r\n')
  return { exchange }
}
