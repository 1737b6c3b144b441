/**
 * Says why a file is not a sound database of OtpMint, or null, without holding anything else up:
 * reading through a large one takes seconds. `cancel` ends it without an answer.
 */
export function inspectInThread(path: string): { fault: Promise<string | null>; cancel(): void } {
  const worker = new Worker(workerUrl(), { smol: true, ref: false })
  const fault = new Promise<string | null>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<string | null>) => {
      worker.terminate()
      resolve(data)
    }
    worker.onerror = () => reject(new Error('the check of the database ended'))
  })
  worker.postMessage(path)
  return { fault, cancel: () => worker.terminate() }
}

/** Where the thread's code lies: beside this file, or in the executable by its path in src/. */
function workerUrl(): string {
  const here = import.meta.url
  const file = here.includes('/$bunfs/') ? './runtime/inspect-worker.ts' : './inspect-worker.ts'
  return new URL(file, here).href
}
