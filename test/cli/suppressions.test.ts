import { expect, setDefaultTimeout, test } from 'bun:test'
import { scriptedServer } from '../support/smtp.ts'
import { command, installation, served } from './terminal.ts'

setDefaultTimeout(30_000)

test('a refused address is listed and removed by the command, in the running server too', async () => {
  const place = await installation()
  const server = await served(place.at)
  const mail = await scriptedServer({ 'RCPT TO': '550 5.1.1 no such user' })
  const run = (...argv: string[]) => command([...argv, ...place.at])
  const smtp = ['--smtp-host', '127.0.0.1', '--smtp-port', String(mail.port), '--smtp-no-login']
  const made = await run('app', 'create', 'Acme', ...smtp, '--smtp-from', 'a@b.test', '--json')
  const { id, live_key: key } = JSON.parse(made.out)
  const send = async (to: string) => {
    const answer = await fetch(`${server.url}/v1/verifications`, {
      method: 'POST',
      headers: {
        ...{ authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        prefer: 'wait=10',
      },
      body: JSON.stringify({ to }),
    })
    return (await answer.json()) as { delivery: { status: string; detail: string } }
  }
  for (const name of ['ada', 'bob']) await send(`${name}@example.com`)
  const [, bob] = [await send('carl@example.com'), (await run('suppression', 'list', id)).out]
  const connections = mail.connections()

  const lines = bob.trim().split('\n')
  expect(lines.map((line) => line.split('\t').slice(1, 4))).toEqual([
    ['c***@example.com', 'refused', '550 5.1.1'],
    ['b***@example.com', 'refused', '550 5.1.1'],
    ['a***@example.com', 'refused', '550 5.1.1'],
  ])
  const page = JSON.parse((await run('suppression', 'list', id, '--limit', '1', '--json')).out)
  expect(page.items).toMatchObject([{ to: 'c***@example.com' }])
  const rest = await run('suppression', 'list', id, '--cursor', page.next_cursor)
  expect(rest.out.trim().split('\n')).toEqual(lines.slice(1))

  const byId = await run('suppression', 'remove', id, page.items[0].id)
  expect([byId.code, byId.out]).toEqual([0, 'removed\n'])
  expect((await run('suppression', 'remove', id, 'bob@example.com')).code).toBe(0)
  const again = await run('suppression', 'remove', id, 'bob@example.com')
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('No such suppression')])
  expect((await run('suppression', 'remove', id, 'nobody')).code).toBe(2)
  expect((await run('suppression', 'list', id)).out.trim()).toBe(lines[2] ?? '')
  expect(mail.connections()).toBe(connections)

  mail.close()
  await server.stop()
  place.remove()
})
