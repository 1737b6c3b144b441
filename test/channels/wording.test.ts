import { describe, expect, test } from 'bun:test'
import {
  type ContentMessage,
  createContentSender,
  createContents,
} from '../../src/channels/email/contents.ts'
import { type Worded, withWording } from '../../src/channels/worded.ts'
import { contentsMax, createWordingReader, type Wording } from '../../src/channels/wording.ts'
import type { Handover } from '../../src/domain/delivery/delivery.ts'
import { Problem } from '../../src/domain/problem.ts'
import type { TemplateStore } from '../../src/domain/template/store.ts'
import type { Template } from '../../src/domain/template/template.ts'
import { appWith, handoverOf } from './mail-fixtures.ts'

const noTemplates: TemplateStore = {
  get: async () => null,
  versions: async () => [],
  logo: async () => null,
}

const content = (text: string): Template => ({ subject: text, text, html: text, variables: [] })

/** An app with a template of this version, and a logo. */
function app(version = 1, id = 'app-1') {
  const logo = { id: 'abc', type: 'image/png', width: 9, height: 9 } as const
  return {
    ...appWith({ id }),
    templates: [{ locale: 'de', version, variables: [] }],
    brand: { color: null, support: null, logo },
  }
}

function counted() {
  const reads: string[] = []
  const templates: TemplateStore = {
    ...noTemplates,
    async get({ locale, version }) {
      reads.push(`${locale} ${version}`)
      return content(`text ${version}`)
    },
    async logo(_, id) {
      reads.push(id)
      return { id, type: 'image/png', width: 9, height: 9, bytes: new Uint8Array([1, 2, 3]) }
    },
  }
  return { reads, reader: createWordingReader({ templates }) }
}

describe('a wording', () => {
  test('is read once for each version, and is there at once from then on', async () => {
    const { reads, reader } = counted()

    const first = await reader.read({ app: app(), locale: 'de-AT' })
    const second = reader.read({ app: app(), locale: 'de' })
    const third = await reader.read({ app: app(2), locale: 'de' })

    expect(second).toEqual(first)
    expect(second).not.toBeInstanceOf(Promise)
    expect(third.template?.content.text).toBe('text 2')
    expect(first.logo?.content).toEqual({ type: 'image/png', base64: 'AQID' })
    expect(reads).toEqual(['de 1', 'abc', 'de 2'])
  })

  test('of an app without template and logo reads nothing', () => {
    const { reads, reader } = counted()

    const plain = { template: null, brand: null, logo: null }
    expect(reader.read({ app: appWith(), locale: 'de' })).toEqual(plain)
    expect(reads).toEqual([])
  })

  test('in another language than that of the template is the built-in one', () => {
    const { reader } = counted()

    expect(reader.read({ app: { ...app(), brand: null }, locale: 'fr' })).toEqual({
      template: null,
      brand: null,
      logo: null,
    })
  })

  test('without what has just been replaced has the built-in words and no logo', async () => {
    const reader = createWordingReader({ templates: noTemplates })

    const wording = await reader.read({ app: app(), locale: 'de' })

    expect(wording).toEqual({
      template: null,
      brand: { color: null, support: null, logo: null },
      logo: null,
    })
  })

  test('is kept for a bounded number of contents', async () => {
    const { reads, reader } = counted()
    const plain = (version: number) => ({ app: { ...app(version), brand: null }, locale: 'de' })
    for (let version = 1; version <= contentsMax + 1; version++) await reader.read(plain(version))

    await reader.read(plain(1))
    await reader.read(plain(contentsMax + 1))

    expect(reads.length).toBe(contentsMax + 2)
  })
})

describe('the contents in the mail thread', () => {
  const wording = (version: number): Wording => ({
    template: { key: `app-1 de ${version}`, locale: 'de', content: content(`text ${version}`) },
    brand: null,
    logo: { key: 'app-1 abc', content: { type: 'image/png', base64: 'AQID' } },
  })

  test('are sent once and found again', () => {
    const posted: ContentMessage[] = []
    const [send, contents] = [createContentSender((one) => posted.push(one)), createContents()]

    const named = [send(wording(1)), send(wording(1)), send(wording(2))]
    for (const message of posted) contents.take(message)

    expect(posted.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
      'keep app-1 de 1',
      'keep app-1 abc',
      'keep app-1 de 2',
    ])
    expect(named.map(contents.wording)).toEqual([wording(1), wording(1), wording(2)])
    expect(JSON.stringify(named)).not.toContain('text')
  })

  test('are as many as are kept outside, and a dropped one is sent again', () => {
    const posted: ContentMessage[] = []
    const [send, contents] = [createContentSender((one) => posted.push(one)), createContents()]
    let held = 0
    const all = (count: number) => {
      for (let version = 0; version < count; version++) {
        const named = send(wording(version))
        for (const message of posted.splice(0)) {
          contents.take(message)
          held += message.kind === 'keep' ? 1 : -1
        }
        expect(contents.wording(named)).toEqual(wording(version))
        expect(held).toBeLessThanOrEqual(contentsMax)
      }
    }

    all(contentsMax + 5)
    all(contentsMax + 5)
  })
})

test('a message whose template cannot be read now is tried again later', async () => {
  const refuse = () => Promise.reject(new Problem('store_unavailable'))
  const reader = createWordingReader({ templates: { ...noTemplates, get: refuse } })
  const given: Worded[] = []
  const sent = { status: 'sent', code: null, detail: null, remoteId: null } as const
  const channel = withWording(reader, {
    async deliver(handover) {
      given.push(handover)
      return sent
    },
    async queue(handover) {
      given.push(handover)
      return { outcome: sent, tookMs: 1, others: 0 }
    },
    close: () => {},
  })
  const { signal } = new AbortController()
  const send = async (handover: Handover) => [
    (await channel.deliver(handover, signal)).status,
    (await channel.queue?.(handover, { width: 1, signal }))?.outcome.status,
  ]

  expect(await send(handoverOf(app(), { locale: 'de' }))).toEqual(['deferred', 'deferred'])
  expect(given).toEqual([])
  expect(await send(handoverOf(appWith(), { locale: 'de' }))).toEqual(['sent', 'sent'])
  expect(given.map(({ wording }) => wording.template)).toEqual([null, null])
})
