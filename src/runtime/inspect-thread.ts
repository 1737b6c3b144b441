/** What the thread does: it copies a database to `path`, if there is one to copy, and checks `path`. */
export type InspectorRequest = { path: string; copyOf: string | null }
/** `error`: the copy was not written, by the code of an error. */
export type InspectorAnswer = { fault: string | null } | { error: string }

export type Inspector = {
  /** The reason why a file is no undamaged database of OtpMint; null when it is one. */
  inspect(path: string): Promise<string | null>
  /** Writes a copy of a database that is open elsewhere, and checks it. */
  copy(database: string, path: string): Promise<InspectorAnswer>
  /** Ends the thread; a running check gets no answer. */
  cancel(): void
}

/**
 * Starts a thread for copying or checking a database, which takes seconds for a large one. It is started
 * before it is asked, because a later start could fail for lack of open files and end the
 * process.
 */
export function startInspector(): Inspector {
  const worker = new Worker(workerUrl(), { smol: true, ref: false })
  const ask = (request: InspectorRequest) =>
    new Promise<InspectorAnswer>((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<InspectorAnswer>) => {
        worker.terminate()
        resolve(data)
      }
      worker.onerror = () => reject(new Error('the check of the database ended'))
      worker.postMessage(request)
    })
  return {
    async inspect(path) {
      const answer = await ask({ path, copyOf: null })
      return 'fault' in answer ? answer.fault : null
    },
    copy: (database, path) => ask({ path, copyOf: database }),
    cancel: () => worker.terminate(),
  }
}

/** The thread's code: beside this file, or in the executable by its path in src/. */
function workerUrl(): string {
  const here = import.meta.url
  const file = here.includes('/$bunfs/') ? './runtime/inspect-worker.ts' : './inspect-worker.ts'
  return new URL(file, here).href
}
