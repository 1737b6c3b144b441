import type { Template } from '../../domain/template/template.ts'
import { type Content, contentsMax, type Picture, type Wording } from '../wording.ts'

/** A wording whose contents lie in the mail thread. */
export type NamedWording = Omit<Wording, 'template' | 'logo'> & {
  template: { key: string; locale: string } | null
  logo: { key: string } | null
}

/** `keep` comes before the first mail that names the key; after `drop` no mail names it. */
export type ContentMessage =
  | { kind: 'keep'; key: string; content: Content }
  | { kind: 'drop'; key: string }

/** Passes a content to one mail thread once, and again after the thread was told to drop it. */
export function createContentSender(post: (message: ContentMessage) => void) {
  const sent = new Set<string>()

  const name = ({ key, content }: { key: string; content: Content }): { key: string } => {
    const isNew = !sent.delete(key)
    sent.add(key)
    if (!isNew) return { key }
    post({ kind: 'keep', key, content })
    const [oldest] = sent
    if (sent.size > contentsMax && oldest !== undefined) {
      sent.delete(oldest)
      post({ kind: 'drop', key: oldest })
    }
    return { key }
  }
  return ({ brand, template, logo }: Wording): NamedWording => ({
    brand,
    template: template && { ...name(template), locale: template.locale },
    logo: logo && name(logo),
  })
}

/** The contents in the mail thread. A mail gets them when it arrives, so that a drop is no matter. */
export function createContents() {
  const kept = new Map<string, Content>()

  const find = <Kind extends Content>(named: { key: string } | null): Kind | null =>
    named && ((kept.get(named.key) as Kind | undefined) ?? null)
  return {
    take(message: ContentMessage): void {
      if (message.kind === 'keep') kept.set(message.key, message.content)
      else kept.delete(message.key)
    },
    wording({ brand, template, logo }: NamedWording): Wording {
      const text = find<Template>(template)
      const picture = find<Picture>(logo)
      return {
        brand,
        template: template && text && { ...template, content: text },
        logo: logo && picture && { ...logo, content: picture },
      }
    },
  }
}
