import type { FromThread, ToThread } from '../../../src/channels/email/thread-messages.ts'

// A mail thread that sends nothing and crashes in the way that the message's code selects.

let begun = new Uint8Array(new SharedArrayBuffer(0))

addEventListener('message', ({ data }: MessageEvent<ToThread>) => {
  if (data.kind === 'start') begun = new Uint8Array(data.begun)
  if (data.kind !== 'send') return
  const { code } = data.job.mail
  if (code.startsWith('9')) begun[data.slot] = 1
  if (code.endsWith('1')) throw new Error(`crash with ${code}`)
  if (code.endsWith('2')) process.exit(1)
  if (code.endsWith('3')) return
  const outcome = { status: 'sent', code: '250', detail: 'ok', remoteId: null } as const
  postMessage({ id: data.id, outcome } satisfies FromThread)
})
