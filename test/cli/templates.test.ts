import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { readTemplateFile, writeTemplateFile } from '../../src/cli/template-file.ts'
import { languages } from '../../src/domain/language.ts'
import { checkedTemplate } from '../../src/domain/template/templates.ts'
import { renderMessage } from '../../src/messages/render.ts'
import { starterTemplate } from '../../src/messages/starter.ts'
import { templating } from '../../src/messages/templating.ts'
import { appWith } from '../channels/mail-fixtures.ts'
import { command, installation } from './terminal.ts'

let place: Awaited<ReturnType<typeof installation>>
beforeAll(async () => {
  place = await installation()
})
afterAll(() => place.remove())

async function newApp(): Promise<string> {
  const { out } = await command(['app', 'create', 'Acme', '--json', ...place.at])
  return JSON.parse(out).id
}

const good = `subject: {{code}} is yours
variables: first_name, plan
--- text
{{code}} for {{first_name}}

{{valid}}
--- html
<p>{{code}}</p>
`

async function run(name: string, operands: string[], given = {}) {
  return command(['template', ...name.split(' '), ...operands, ...place.at], given)
}

test('a template that was edited is in force, and its versions are listed', async () => {
  const id = await newApp()
  const seen: string[] = []
  const edited = (text: string) => {
    seen.push(text)
    return good
  }

  const done = await run('edit', [id, 'de-at'], { edited })

  expect([done.code, done.out]).toEqual([0, 'de-AT version 1 is in force\n'])
  expect(done.err).toContain('hint: The HTML does not say how long the code is valid')
  expect(seen[0]).toContain('subject: {{code}} ist Ihr Code für {{app}}\nvariables:\n--- text\n')
  expect((await run('show', [id, 'de-AT'])).out).toBe(good)
  const { out } = await run('list', [id])
  expect(out).toBe('de-AT\t1\tfirst_name plan\n')
  await run('edit', [id, 'de-AT'], { edited: (text: string) => text.replace('yours', 'here') })
  const versions = (await run('list', [id, 'de-AT'])).out.split('\n')
  expect(versions.map((line) => line.split('\t').slice(0, 2).join())).toEqual([
    '2,edited',
    '1,edited',
    '',
  ])
  expect((await run('show', [id, 'de-AT', '--version', '1'])).out).toBe(good)
})

test('an edit that is refused is told by the lines of its file, which is kept', async () => {
  const id = await newApp()
  const bad = good
    .replace('<p>{{code}}</p>', '<p>\n<script>{{who}}</p>')
    .replace('{{valid}}', '{{x}}')

  const done = await run('edit', [id, 'en'], { edited: () => bad })

  expect(done.code).toBe(2)
  const file = /^(\/.*?\/en\.txt):6: text this name is not known/m.exec(done.err)?.[1] ?? ''
  expect(done.err).toContain(`${file}:9: html this name is not known`)
  expect(done.err).toContain(`"otpmint template edit ${id} en --file ${file}"`)
  expect(readFileSync(file, 'utf8')).toBe(bad)
  writeFileSync(file, good)
  const again = await run('edit', [id, 'en', '--file', file])
  expect([again.code, again.out]).toEqual([0, 'en version 1 is in force\n'])
  rmSync(dirname(file), { recursive: true })
})

test('an edit that changes nothing, or whose editor fails, stores nothing and leaves no file', async () => {
  const id = await newApp()
  const paths: string[] = []
  const edit = (result: (text: string) => string | null) => {
    const edited = (text: string, path: string) => {
      paths.push(path)
      return result(text)
    }
    return run('edit', [id, 'en'], { edited })
  }
  const unchanged = await edit((text) => text)
  const failed = await edit(() => null)

  expect([unchanged.code, unchanged.err]).toEqual([0, 'nothing was changed\n'])
  expect([failed.code, failed.err]).toEqual([1, 'the editor failed: nothing was changed\n'])
  expect((await run('list', [id])).out).toBe('')
  expect([paths.length, paths.filter(existsSync)]).toEqual([2, []])
})

test('without an editor and files it says what to give', async () => {
  const { code, err } = await run('edit', [await newApp(), 'en'])

  expect([code, err]).toEqual([2, expect.stringContaining('set $VISUAL or $EDITOR, or name files')])
})

test('a template comes from a pipe, or from a file for each part', async () => {
  const id = await newApp()
  expect((await run('edit', [id, 'en', '--file', '-'], { input: good })).code).toBe(0)
  const file = (name: string, text: string) => {
    writeFileSync(join(place.path, name), text)
    return join(place.path, name)
  }
  const parts = [
    ...['--subject-file', file('s.txt', 'Hello\n'), '--text-file', file('t.txt', '{{code}} {{a}}')],
    ...['--html-file', file('h.html', '<p>{{code}}</p>'), '--variables', 'a, b'],
  ]

  const done = await run('edit', [id, 'en', ...parts, '--json'])

  const stored = { locale: 'en', version: 2, subject: 'Hello', variables: ['a', 'b'] }
  expect(JSON.parse(done.out)).toMatchObject(stored)
  file('h.html', '\n<script>')
  const refused = await run('edit', [id, 'en', ...parts])
  expect([refused.code, refused.err]).toEqual([
    2,
    expect.stringContaining('--html-file line 2: <script>'),
  ])
  const missing = await run('edit', [id, 'en', '--subject-file', join(place.path, 's.txt')])
  expect(missing.err).toContain('--text-file is missing')
})

test('a preview shows the message and hints, and a reset the built-in words again', async () => {
  const id = await newApp()
  await run('edit', [id, 'en', '--file', '-'], { input: good })

  const preview = await run('preview', [id, 'en'])
  expect(preview.out).toBe(
    '123456 is yours\n\n123456 for first name\n\nIt is valid for 10 minutes.\n',
  )
  expect(preview.err).toContain('hint: ')
  expect((await run('preview', [id, 'en', '--html'])).out.trim()).toBe('<p>123456</p>')
  expect(JSON.parse((await run('preview', [id, 'en', '--json'])).out).language).toBe('en')

  expect((await run('reset', [id, 'en'])).out).toBe('reset\n')
  expect((await run('preview', [id, 'en'])).out).toStartWith('123456 is your Acme code\n')
  expect((await run('reset', [id, 'en'])).err).toContain('No such template')
  expect((await run('show', [id, 'en', '--version', '9'])).err).toContain('No such template')
  expect((await run('show', [id, 'e_n'])).err).toContain('must be a language tag')
})

test('the example is a template, and there is nothing to say about it', async () => {
  const id = await newApp()
  const example = join(import.meta.dir, '../../examples/template/en.txt')

  const { code, out, err } = await run('edit', [id, 'en', '--file', example])

  expect([code, out, err]).toEqual([0, 'en version 1 is in force\n', ''])
})

test('a brand is changed by flags, and taken back by the word default', async () => {
  const id = await newApp()
  const brand = (flags: string[]) => command(['brand', 'update', id, ...flags, ...place.at])
  const logo = join(place.path, 'logo.jpg')
  const jpeg = 'ffd8ffe000104a46494600010100000100010000ffc0000b080040008001011100ffd9'
  writeFileSync(logo, Buffer.from(jpeg, 'hex'))

  const done = await brand(['--color', '#0A5', '--support', 'help@acme.test', '--logo-file', logo])

  expect(done.out).toContain('#00aa55')
  expect(done.out).toContain('image/jpeg, 128 by 64 pixels')
  await brand(['--support', 'default'])
  const { out } = await command(['brand', 'show', id, '--json', ...place.at])
  expect(JSON.parse(out)).toMatchObject({ color: '#00aa55', support: null, logo: { width: 128 } })
  writeFileSync(logo, '<svg/>')
  const refused = await brand(['--color', 'red', '--logo-file', logo])
  expect(refused.err).toContain('--color must be a colour like #0a5c36')
  expect(refused.err).toContain('--logo-file must be a whole PNG or JPEG')
})

test.each(languages.map((language) => [language] as const))(
  'the built-in message of %s is a template that makes the same message',
  (locale) => {
    const app = { ...appWith({ name: 'Acme' }), brand: null }
    const content = starterTemplate(app, locale)
    const input = readTemplateFile(writeTemplateFile(content)).input
    const checked = checkedTemplate({ templating }, { locale, input })
    const life = { unit: 'minutes', count: 7, digits: '7' } as const
    const message = { app, code: '568464', reference: 'KF42', locale, variables: null, life }
    const wanted = [[false, null] as const, [true, null] as const, [true, 'secret'] as const]
    for (const [page, report] of wanted) {
      const source = {
        ...message,
        links: { base: 'https://otp.acme.test', id: 'v1', page, report },
      }

      const edited = renderMessage({ ...source, template: { locale, content: checked } })
      const builtIn = renderMessage(source)

      expect(edited.subject).toBe(builtIn.subject)
      // It isolates the name from the direction of the text, whatever the name will be.
      expect(edited.text.replace(/[\u2068\u2069]/g, '')).toBe(builtIn.text)
      expect(edited.html.trimEnd()).toBe(builtIn.html)
      expect(edited.html.match(/<a /g)?.length ?? 0).toBe(Number(page) + Number(report !== null))
    }
  },
)
