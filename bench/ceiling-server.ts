/** A bare Elysia POST with the validation of a check and nothing behind it. */
import '../src/production.ts'
import { Elysia } from 'elysia'
import { check } from '../src/http/verification-docs.ts'

const port = Number(Bun.env['OTPMINT_PORT'])

new Elysia()
  .get('/readyz', () => 'ready')
  .post('/v1/verifications/:id/check', () => ({ valid: false }), { body: check.body })
  .listen({ hostname: '127.0.0.1', port })

process.on('SIGTERM', () => process.exit(0))
