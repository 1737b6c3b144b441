/** A bare Elysia server: a POST with the validation of a check and no store. */
import '../src/production.ts'
import { Elysia, t } from 'elysia'

const port = Number(Bun.env['OTPMINT_PORT'])
const body = t.Object({ code: t.String({ maxLength: 64 }) }, { additionalProperties: false })

new Elysia()
  .get('/readyz', () => 'ready')
  .post('/v1/verifications/:id/check', () => ({ valid: false }), { body })
  .listen({ hostname: '127.0.0.1', port })

process.on('SIGTERM', () => process.exit(0))
