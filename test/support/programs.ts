import { buildLitestream } from '../e2e/litestream.ts'
import { buildMailpit } from '../mail/mailpit.ts'

// Builds the programs of others that tests start, the one that is needed first at the beginning.
await buildLitestream()
await buildMailpit()
