import type { Logo } from '../brand/brand.ts'
import type { Template, TemplateKey, TemplateVersion } from './template.ts'

/** The texts of templates and the pictures of brands, which apps only name; apps change them. */
export type TemplateStore = {
  /** Null for an unknown version, and for a reset. */
  get(key: TemplateKey): Promise<Template | null>
  /** The kept versions of one language, newest first. */
  versions(key: Pick<TemplateKey, 'appId' | 'locale'>): Promise<TemplateVersion[]>
  /** The app's logo, if it is the one with this id. */
  logo(appId: string, id: string): Promise<Logo | null>
}

/**
 * A new version of one language's template: the one after its latest, or 1. Null is a reset. Keeps
 * the newest `keep` versions of the language.
 */
export type TemplateChange = { locale: string; template: Template | null; keep: number }
