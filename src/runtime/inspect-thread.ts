export type Inspector = {
  /** The reason why a file is no undamaged database of OtpMint; null when it is one. */
  inspect(path: string): Promise<string | null>
  /** Ends the thread; a running check gets no answer. */
  cancel(): void
}

/**
 * Starts a thread for checking a database, which takes seconds for a large one. It is started
 * before `inspect` is called, because a later start could fail for lack of open files and end the
 * process.
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

/** The thread's code: beside this file, or in the executable by its path in src/. */
function workerUrl(): string {
  const here = import.meta.url
  const file = here.includes('/$bunfs/') ? './runtime/inspect-worker.ts' : './inspect-worker.ts'
  return new URL(file, here).href
}
