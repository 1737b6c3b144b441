import audit from './audit.sql' with { type: 'text' }
import check from './check.sql' with { type: 'text' }
import limits from './limits.sql' with { type: 'text' }
import partitions from './partitions.sql' with { type: 'text' }
import spending from './spending.sql' with { type: 'text' }
import start from './start.sql' with { type: 'text' }

/** The functions of the newest schema. Their names end in `__v`, which becomes the schema's number. */
export const functions: readonly string[] = [audit, check, limits, partitions, spending, start]
