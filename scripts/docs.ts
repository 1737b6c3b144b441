/** Writes the generated docs: docs/configuration.md, and the field tables of docs/api.md. */
import { join } from 'node:path'
import { configurationPage } from '../src/config/describe.ts'
import { withFieldTables } from './api-tables.ts'

const docs = join(import.meta.dir, '../docs')
await Bun.write(join(docs, 'configuration.md'), configurationPage())
const api = join(docs, 'api.md')
await Bun.write(api, await withFieldTables(await Bun.file(api).text()))
