import { expect, test } from 'bun:test'
import { readHandover } from '../../src/domain/delivery/handover.ts'
import { saveTemplate } from '../../src/domain/template/templates.ts'
import { checkVerification } from '../../src/domain/verification/check.ts'
import { resendVerification } from '../../src/domain/verification/resend.ts'
import { startVerification } from '../../src/domain/verification/start.ts'
import { codeOf, world } from '../support/world.ts'

const input = {
  subject: '{{code}}',
  text: '{{code}} {{first_name}}',
  html: '<p>{{code}}</p>',
  variables: ['first_name'],
}

async function started() {
  const w = await world()
  const place = { appId: w.app.id, locale: 'en', input }
  await saveTemplate(w, { who: 'cli', requestId: null }, place)
  const app = await w.apps.get(w.app.id)
  if (!app) throw new Error('no app')
  const variables = { first_name: 'Ada' }
  const request = { app, mode: 'live', startedBy: 'v1', to: 'ada@example.com', variables } as const
  const { verification } = await startVerification(w, request)
  return {
    w,
    app,
    verification,
    key: { appId: app.id, mode: 'live', id: verification.id } as const,
  }
}

test('a resend, and a message that is read from the store, have the variables of the start', async () => {
  const { w, app, verification, key } = await started()
  const [first] = w.sent
  if (!first) throw new Error('nothing was sent')

  const read = await readHandover(w, first.delivery)
  w.clock.advance(30_000)
  await resendVerification(w, { app, mode: 'live', id: verification.id })

  expect(w.sent.map(({ handover }) => handover.variables)).toEqual([
    { first_name: 'Ada' },
    { first_name: 'Ada' },
  ])
  expect(read?.variables).toEqual({ first_name: 'Ada' })
  const sealed = await w.verifications.sealed({ ...key, recipient: 0 })
  expect(Buffer.from(sealed?.variables ?? []).toString('latin1')).not.toContain('Ada')
})

test('variables are bound to their verification and column, and end with it', async () => {
  const { w, app, verification, key } = await started()
  const sealed = await w.verifications.sealed({ ...key, recipient: 0 })
  const { id } = verification
  const open = (row: string, column: string) =>
    w.keyring.open(
      app.id,
      app.dataKey,
      { table: 'verifications', row, column },
      sealed?.variables ?? new Uint8Array(),
    )

  expect(open(id, 'variables_sealed')).toBe('{"first_name":"Ada"}')
  expect(() => open(id, 'recipient_sealed')).toThrow()
  expect(() => open('another', 'variables_sealed')).toThrow()
  await checkVerification(w, { ...key, code: codeOf(w.sent[0]) })
  expect(await w.verifications.sealed({ ...key, recipient: 0 })).toBeNull()
})
