import type {
  FromThread,
  StartThread,
  ToThread,
} from '../../../src/channels/email/thread-messages.ts'

// A mail thread that sends nothing and crashes in the way that the message's code selects.

let begun = new Uint8Array(new SharedArrayBuffer(0))

addEventListener('message', ({ data }: MessageEvent<StartThread | string>) => {
  if (typeof data !== 'string') begun = new Uint8Array(data.begun)
  else for (const message of JSON.parse(data)) take(message)
})

function take(message: ToThread): void {
  if (message.kind !== 'send') return
  const { code } = message.job.mail
  if (code.startsWith('9')) begun[message.slot] = 1
  if (code.endsWith('1')) throw new Error(`crash with ${code}`)
  if (code.endsWith('2')) process.exit(1)
  if (code.endsWith('3')) return
  const outcome = { status: 'sent', code: '250', detail: 'ok', remoteId: null } as const
  const answers: FromThread[] = [{ id: message.id, answer: { outcome, tookMs: 1, others: 0 } }]
  postMessage(JSON.stringify(answers))
}
