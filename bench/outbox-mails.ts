/** DATA_DIR APP COUNT: the outbox as the server has it, offered one start after another. */
import { createEgress } from '../src/channels/egress.ts'
import { createEmailChannel } from '../src/channels/email.ts'
import { createInbox } from '../src/channels/inbox.ts'
import type { DeliveryStore } from '../src/domain/stores.ts'
import { createSender } from '../src/jobs/send.ts'
import { createLog } from '../src/log.ts'
import { createMetrics } from '../src/metrics.ts'
import { openData, start } from './support-seed.ts'

const [directory = '', appId = '', count = ''] = process.argv.slice(2)
const { ports, close } = await openData(directory)
let offers: Awaited<ReturnType<typeof start>> = []
let unsettled = 0
let finish = () => {}

const deliveries: DeliveryStore = {
  ...ports.deliveries,
  async settle(command) {
    if (command.status !== 'sent') throw new Error(`a mail was ${command.status}`)
    await ports.deliveries.settle(command)
    unsettled--
    offerMore()
    if (unsettled === 0) finish()
  },
}
const log = createLog({ level: 'info', write: (line) => process.stderr.write(line), ...ports })
const email = createEmailChannel({ ...ports, egress: createEgress() })
const channels = { email, inbox: createInbox(ports) }
const outbox = createSender({ ...ports, deliveries, channels, log, metrics: createMetrics() })

await sendAll(1_000)
const perSecond = await sendAll(Number(count))
process.stdout.write(String(perSecond))
await outbox.stop()
email.close()
close()

async function sendAll(many: number): Promise<number> {
  offers = await start(ports, appId, many)
  const begunAt = performance.now()
  const done = new Promise<void>((resolve) => {
    finish = resolve
  })
  offerMore()
  await done
  return (many * 1000) / (performance.now() - begunAt)
}

/** No more at once than the outbox keeps in memory. */
function offerMore(): void {
  while (unsettled < 500) {
    const offer = offers.pop()
    if (!offer) return
    unsettled++
    outbox.offer(offer.delivery, offer.handover)
  }
}
