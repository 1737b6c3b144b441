export type Inspector = {
  /** Says why a file is not a sound database of OtpMint; null when it is. */
  inspect(path: string): Promise<string | null>
  /** Ends the thread; a check that runs stays without an answer. */
  cancel(): void
}

/**
 * Starts a thread that can read through a database without holding anything else up, which takes
 * seconds for a large one. It waits for `inspect`: starting it later could fail for want of open
 * files, and then ends the process.
 */
export function startInspector(): Inspector {
  const worker = new Worker(workerUrl(), { smol: true, ref: false })
  return {
    inspect: (path) =>
      new Promise((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<string | null>) => {
          worker.terminate()
          resolve(data)
        }
        worker.onerror = () => reject(new Error('the check of the database ended'))
        worker.postMessage(path)
      }),
    cancel: () => worker.terminate(),
  }
}

/** Where the thread's code lies: beside this file, or in the executable by its path in src/. */
function workerUrl(): string {
  const here = import.meta.url
  const file = here.includes('/$bunfs/') ? './runtime/inspect-worker.ts' : './inspect-worker.ts'
  return new URL(file, here).href
}
