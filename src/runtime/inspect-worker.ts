import { inspectDatabase } from '../store/sqlite/inspect.ts'

// The entry point of the thread that checks a database, which inspect-thread.ts starts.

addEventListener('message', ({ data }: MessageEvent<string>) => postMessage(inspectDatabase(data)))
