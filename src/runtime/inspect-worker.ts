import { codeOf } from '../keys/key-file.ts'
import { copyDatabase } from '../store/sqlite/backup.ts'
import { inspectDatabase } from '../store/sqlite/inspect.ts'
import type { InspectorAnswer, InspectorRequest } from './inspect-thread.ts'

// The entry point of the thread that copies and checks a database, which inspect-thread.ts starts.

addEventListener('message', ({ data }: MessageEvent<InspectorRequest>) => {
  postMessage(answer(data))
})

function answer({ path, copyOf }: InspectorRequest): InspectorAnswer {
  if (copyOf !== null) {
    try {
      copyDatabase(copyOf, path)
    } catch (error) {
      return { error: codeOf(error) }
    }
  }
  return { fault: inspectDatabase(path) }
}
