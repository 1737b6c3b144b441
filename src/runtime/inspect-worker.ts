import { inspectDatabase } from '../store/sqlite/inspect.ts'

// Reads through a whole database in a thread of its own, which inspect-thread.ts starts.

addEventListener('message', ({ data }: MessageEvent<string>) => postMessage(inspectDatabase(data)))
