import { closeSync, openSync } from 'node:fs'
import { createEmailChannel } from '../../../src/channels/email/email.ts'
import { createMailThread } from '../../../src/channels/email/mail-thread.ts'
import { systemTimers } from '../../../src/system.ts'
import { appWith, handoverOf, tokenPorts } from '../mail-fixtures.ts'

// Sends through a mail thread that crashes, without a free file descriptor and with some again;
// prints the outcomes. A process of its own, because its limit on open files is low.
const url = new URL('./crashing-worker.ts', import.meta.url).href
const mailer = createMailThread({ connectionsMax: 10, timers: systemTimers, url })
const channel = createEmailChannel(tokenPorts, mailer)
const send = async (code: string) => {
  const handover = { ...handoverOf(appWith()), code }
  const { status, detail } = await channel.deliver(handover, new AbortController().signal)
  process.stdout.write(`${status} ${detail}\n`)
}

await send('000000')
await send('000001')
const files = takeAll()
await send('000000')
for (const file of files) closeSync(file)
await send('000000')
process.exit(0)

function takeAll(): number[] {
  const taken: number[] = []
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'))
  } catch {
    return taken
  }
}
