import { expect, test } from 'bun:test'
import type { BrandChange, Logo } from '../../src/domain/brand/brand.ts'
import type { AppChange, Stores } from '../../src/domain/stores.ts'
import type { Template } from '../../src/domain/template/template.ts'
import { addPlainApp, bytes, noon, times, withAudit } from '../support/commands.ts'
import type { OpenStores } from './contract.ts'

async function change(
  stores: Pick<Stores, 'apps' | 'audit'>,
  id: string,
  parts: Pick<AppChange, 'template' | 'brand'>,
) {
  const version = (await stores.apps.get(id))?.version ?? 0
  const command = { ...parts, expectedVersion: version, updatedAt: noon + version }
  return withAudit(stores, (append) => stores.apps.update(id, command, append))
}

function template(text: string, variables: string[] = []): Template {
  return {
    subject: `${text} {{code}}`,
    text: `${text}\n{{code}}`,
    html: `<p>${text}</p>`,
    variables,
  }
}

const keep = 20

/** Tests the rules of templates and brands that every store follows. */
export function templateContract(open: OpenStores): void {
  templates(open)
  brands(open)
}

function templates(open: OpenStores): void {
  test('a template comes back as it was written, and its app names it', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const written = template('Grüße 🙂 “{{#x}}”', ['first_name', '__proto__'])

    await change(stores, app.id, { template: { locale: 'de-AT', template: written, keep } })
    const changed = await change(stores, app.id, {
      template: { locale: 'ar', template: template('a'), keep },
    })

    const refs = [
      { locale: 'ar', version: 1, variables: [] },
      { locale: 'de-AT', version: 1, variables: written.variables },
    ]
    expect(changed).toMatchObject({ version: 3, templates: refs })
    expect(await stores.apps.get(app.id)).toEqual(changed as never)
    expect(await stores.templates.get({ appId: app.id, locale: 'de-AT', version: 1 })).toEqual(
      written,
    )
  })

  test('versions count up for each language, and the latest is in force', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    for (const text of ['one', 'two', 'three']) {
      await change(stores, app.id, { template: { locale: 'en', template: template(text), keep } })
    }
    await change(stores, app.id, { template: { locale: 'fr', template: template('un'), keep } })

    const read = (version: number) => stores.templates.get({ appId: app.id, locale: 'en', version })
    expect(await read(2)).toEqual(template('two'))
    expect(await read(4)).toBeNull()
    expect((await stores.apps.get(app.id))?.templates.map(({ version }) => version)).toEqual([3, 1])
    const versions = await stores.templates.versions({ appId: app.id, locale: 'en' })
    expect(versions).toEqual([
      { locale: 'en', version: 3, edited: true, variables: [], createdAt: noon + 3 },
      { locale: 'en', version: 2, edited: true, variables: [], createdAt: noon + 2 },
      { locale: 'en', version: 1, edited: true, variables: [], createdAt: noon + 1 },
    ])
  })

  test('a reset is a version without a text, after which numbers go on', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const edit = (text: string | null) =>
      change(stores, app.id, {
        template: { locale: 'en', template: text === null ? null : template(text, ['a']), keep },
      })
    await edit('one')

    expect(await edit(null)).toMatchObject({ templates: [] })
    expect(await stores.templates.get({ appId: app.id, locale: 'en', version: 2 })).toBeNull()
    expect(await stores.templates.get({ appId: app.id, locale: 'en', version: 1 })).toEqual(
      template('one', ['a']),
    )
    expect(await edit('three')).toMatchObject({ templates: [{ version: 3, variables: ['a'] }] })
    const versions = await stores.templates.versions({ appId: app.id, locale: 'en' })
    expect(versions.map(({ edited }) => edited)).toEqual([true, false, true])
  })

  test('only the newest versions of a language are kept', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    await change(stores, app.id, { template: { locale: 'fr', template: template('x'), keep: 3 } })
    for (const index of times(5, (each) => each)) {
      const text = template(String(index))
      await change(stores, app.id, { template: { locale: 'en', template: text, keep: 3 } })
    }

    const kept = await stores.templates.versions({ appId: app.id, locale: 'en' })
    expect(kept.map(({ version }) => version)).toEqual([5, 4, 3])
    expect(await stores.templates.get({ appId: app.id, locale: 'en', version: 2 })).toBeNull()
    expect(await stores.templates.versions({ appId: app.id, locale: 'fr' })).toHaveLength(1)
  })

  test('a change of an app that has changed meanwhile stores no template', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const command = {
      template: { locale: 'en', template: template('x'), keep },
      expectedVersion: 7,
      updatedAt: noon,
    }

    expect(await withAudit(stores, (append) => stores.apps.update(app.id, command, append))).toBe(
      'changed',
    )
    expect(await stores.templates.versions({ appId: app.id, locale: 'en' })).toEqual([])
  })

  test('an app sees its own templates and logo only, and takes them with it', async () => {
    const stores = await open()
    const [mine, theirs] = [await addPlainApp(stores), await addPlainApp(stores)]
    const written = { locale: 'en', template: template('mine'), keep }
    const picture = logo()
    await change(stores, mine.id, { template: written, brand: brandWith(picture) })

    const key = { locale: 'en', version: 1 }
    expect(await stores.templates.get({ appId: theirs.id, ...key })).toBeNull()
    expect(await stores.templates.versions({ appId: theirs.id, locale: 'en' })).toEqual([])
    expect(await stores.templates.logo(theirs.id, picture.id)).toBeNull()
    expect((await stores.apps.get(theirs.id))?.templates).toEqual([])

    await withAudit(stores, (append) => stores.apps.remove(mine.id, append))
    expect(await stores.templates.get({ appId: mine.id, ...key })).toBeNull()
    expect(await stores.templates.versions({ appId: mine.id, locale: 'en' })).toEqual([])
    expect(await stores.templates.logo(mine.id, picture.id)).toBeNull()
  })
}

function logo(): Logo {
  const id = Buffer.from(bytes(16)).toString('hex')
  return { id, type: 'image/png', width: 200, height: 50, bytes: bytes(20_000) }
}

function brandWith(picture: Logo | null): BrandChange {
  const shown = picture && {
    id: picture.id,
    type: picture.type,
    width: picture.width,
    height: picture.height,
  }
  return { brand: { color: '#0a5c36', support: null, logo: shown }, logo: picture }
}

function brands(open: OpenStores): void {
  test('a brand comes back with its app, and its logo by its id', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const picture = logo()

    const changed = await change(stores, app.id, { brand: brandWith(picture) })

    expect(changed).toMatchObject({ version: 2, brand: brandWith(picture).brand })
    expect(await stores.apps.get(app.id)).toEqual(changed as never)
    expect(await stores.templates.logo(app.id, picture.id)).toEqual(picture)
    expect(await stores.templates.logo(app.id, 'another')).toBeNull()
  })

  test('a logo stays until another one or none takes its place', async () => {
    const stores = await open()
    const app = await addPlainApp(stores)
    const [first, second] = [logo(), logo()]
    await change(stores, app.id, { brand: brandWith(first) })

    const { brand } = brandWith(first)
    await change(stores, app.id, { brand: { brand: { ...brand, support: 'help@acme.test' } } })
    expect(await stores.templates.logo(app.id, first.id)).toEqual(first)
    expect((await stores.apps.get(app.id))?.brand).toEqual({ ...brand, support: 'help@acme.test' })

    await change(stores, app.id, { brand: brandWith(second) })
    expect(await stores.templates.logo(app.id, first.id)).toBeNull()
    expect(await stores.templates.logo(app.id, second.id)).toEqual(second)
    await change(stores, app.id, { brand: brandWith(null) })
    expect(await stores.templates.logo(app.id, second.id)).toBeNull()
    expect((await stores.apps.get(app.id))?.brand?.logo).toBeNull()
  })
}
