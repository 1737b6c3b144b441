import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { freePort } from '../support/port.ts'
import { until } from '../support/smtp.ts'

// The gateways of docs/channels.md, as somebody would copy them.
setDefaultTimeout(30_000)

const root = join(import.meta.dir, '../..')
const text = readFileSync(join(root, 'docs/channels.md'), 'utf8')
const section = text.split('\n## Webhook\n')[1]?.split('\n## ')[0] ?? ''
const exampleOf = (language: string) =>
  new RegExp(`\`\`\`${language}\\n(.*?)\n\`\`\``, 's').exec(section)?.[1] ?? ''
const secrets = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'otpmint-gateway-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test.each([
  ['ts', 'gateway.ts', process.execPath],
  ['python', 'gateway.py', 'python3'],
])(
  'the gateway in %s takes what is signed, once, and nothing else',
  async (language, name, program) => {
    const path = join(folder, name)
    writeFileSync(path, exampleOf(language))
    const port = freePort()
    const env = { PATH: process.env['PATH'] ?? '', PORT: String(port), WEBHOOK_SECRET: secrets[0] }
    const child = Bun.spawn([program, path], {
      env,
      cwd: folder,
      stdout: 'pipe',
      stderr: 'inherit',
    })
    let said = ''
    const read = async () => {
      for await (const chunk of child.stdout) said += Buffer.from(chunk).toString()
    }
    void read()
    const url = `http://127.0.0.1:${port}/`
    const post = async (body: string, headers: Record<string, string>) => {
      const answer = await fetch(url, { method: 'POST', body, headers })
      return answer.status
    }
    const signed = (
      content: Record<string, unknown>,
      by = secrets.slice(0, 1),
      at = new Date(),
    ) => {
      const body = JSON.stringify(content)
      const id = String(content['id'])
      const signatures = by.map((secret) => new Webhook(secret).sign(id, at, body))
      const headers = {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': signatures.join(' '),
      }
      return [body, headers] as const
    }
    const message = { type: 'message', id: 'one', to: 'ada@example.com', text: '483920 ü' }
    try {
      await until(() =>
        post('', {}).then(
          (status) => status === 401,
          () => false,
        ),
      )

      expect(await post(...signed({ type: 'test', id: 'test_1' }))).toBe(204)
      expect(said).toBe('')
      // While the secret is being replaced there are two signatures, in either order.
      expect(await post(...signed(message, secrets.toReversed()))).toBe(204)
      expect(await post(...signed(message))).toBe(204)
      await until(() => said !== '')
      expect(said).toBe('to ada@example.com: 8 characters\n')

      const [body, headers] = signed({ ...message, id: 'two' })
      expect(await post(body.replace('ada', 'eve'), headers)).toBe(401)
      expect(await post(body, { ...headers, 'webhook-id': 'three' })).toBe(401)
      expect(await post(...signed(message, secrets.slice(1)))).toBe(401)
      for (const minutes of [-6, 6]) {
        const at = new Date(Date.now() + minutes * 60_000)
        expect(await post(...signed({ ...message, id: 'four' }, undefined, at))).toBe(401)
      }
      expect(said).toBe('to ada@example.com: 8 characters\n')
    } finally {
      child.kill('SIGKILL')
      await child.exited
    }
  },
)
