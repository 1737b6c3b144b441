/** Writes the pages that are made from code: docs/configuration.md. */
import { join } from 'node:path'
import { configurationPage } from '../src/config/describe.ts'

await Bun.write(join(import.meta.dir, '../docs/configuration.md'), configurationPage())
