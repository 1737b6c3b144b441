/** PORT FILE COUNT: one finished message over and over through nodemailer's pool. */
import { createTransport } from 'nodemailer'

const [port = '', file = '', count = ''] = process.argv.slice(2)
const raw = await Bun.file(file).text()
const pool = { pool: true, maxConnections: 5, maxMessages: Number.POSITIVE_INFINITY } as const
const transport = createTransport({
  ...pool,
  host: '127.0.0.1',
  port: Number(port),
  ignoreTLS: true,
})

let left = 1_000
await sendAll()
left = Number(count)
const begunAt = performance.now()
await sendAll()
process.stdout.write(String((Number(count) * 1000) / (performance.now() - begunAt)))
transport.close()

async function sendAll(): Promise<void> {
  await Promise.all(Array.from({ length: 10 }, sendSome))
}

async function sendSome(): Promise<void> {
  while (left > 0) {
    const envelope = { from: 'codes@bench.example', to: `person-${left--}@seeded.example` }
    await transport.sendMail({ envelope, raw })
  }
}
