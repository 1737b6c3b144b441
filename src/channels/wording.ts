import type { App } from '../domain/app/app.ts'
import type { Brand, Logo } from '../domain/brand/brand.ts'
import type { ImageType } from '../domain/brand/image.ts'
import type { Handover } from '../domain/delivery/delivery.ts'
import type { Ports } from '../domain/ports.ts'
import type { Template, TemplateRef } from '../domain/template/template.ts'
import { chooseMessage } from '../messages/languages.ts'

/** What a message is made from besides its own values; `key` names a content for good. */
export type Wording = {
  template: { key: string; locale: string; content: Template } | null
  brand: Brand | null
  logo: { key: string; content: Picture } | null
}

/** A logo as mails carry it. */
export type Picture = { type: ImageType; base64: string }
export type Content = Template | Picture

/** The built-in words and nothing else. */
export const plainWording: Wording = { template: null, brand: null, logo: null }

export type WordingReader = {
  /** At once where everything is known. Rejects with `store_unavailable`. */
  read(handover: Pick<Handover, 'app' | 'locale'>): Wording | Promise<Wording>
}

/** How many templates and logos are kept; one has up to 40 kB. */
export const contentsMax = 400

/** Reads the template and the logo of a message, and keeps those that were used last. */
export function createWordingReader({ templates }: Pick<Ports, 'templates'>): WordingReader {
  const kept = new Map<string, Content>()
  const recall = <Kind extends Content>(
    key: string,
    load: () => Promise<Kind | null>,
  ): Kind | null | Promise<Kind | null> => {
    const known = kept.get(key) as Kind | undefined
    if (known === undefined) return load().then((content) => keep(key, content))
    return keep(key, known)
  }
  const keep = <Kind extends Content>(key: string, content: Kind | null) => {
    kept.delete(key)
    if (content === null) return null
    kept.set(key, content)
    const [oldest] = kept.keys()
    if (kept.size > contentsMax && oldest !== undefined) kept.delete(oldest)
    return content
  }
  return {
    read({ app, locale }) {
      const { template: ref } = chooseMessage(app, locale)
      const logo = app.brand?.logo ?? null
      if (ref === null && logo === null) return { template: null, brand: app.brand, logo: null }

      const content = ref && recall(templateKey(app, ref), () => templates.get(keyOf(app, ref)))
      const readLogo = async (id: string) => toPicture(await templates.logo(app.id, id))
      const picture = logo && recall(logoKey(app, logo.id), () => readLogo(logo.id))
      return content instanceof Promise || picture instanceof Promise
        ? Promise.all([content, picture]).then(([one, other]) => wording(app, ref, one, other))
        : wording(app, ref, content, picture)
    },
  }
}

/** A content that is gone, because it has just been replaced, is left out. */
function wording(
  app: App,
  ref: TemplateRef | null,
  content: Template | null,
  picture: Picture | null,
): Wording {
  const { brand } = app
  const logo = picture && (brand?.logo ?? null)
  return {
    template: ref && content && { key: templateKey(app, ref), locale: ref.locale, content },
    brand: brand && { ...brand, logo },
    logo: logo && picture && { key: logoKey(app, logo.id), content: picture },
  }
}

function toPicture(logo: Logo | null): Picture | null {
  return logo && { type: logo.type, base64: Buffer.from(logo.bytes).toString('base64') }
}

function keyOf({ id: appId }: App, { locale, version }: TemplateRef) {
  return { appId, locale, version }
}

function templateKey({ id }: App, { locale, version }: TemplateRef): string {
  return `${id} ${locale} ${version}`
}

function logoKey({ id }: App, logoId: string): string {
  return `${id} ${logoId}`
}
