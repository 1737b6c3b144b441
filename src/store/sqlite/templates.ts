import type { Database } from 'bun:sqlite'
import type { TemplateChange, TemplateStore } from '../../domain/template/store.ts'
import type {
  Template,
  TemplateKey,
  TemplateRef,
  TemplateVersion,
} from '../../domain/template/template.ts'
import { createBrands } from './brands.ts'
import type { Parts } from './parts.ts'

export function createTemplateStore({ database, read }: Parts): TemplateStore {
  const brands = createBrands(database)
  const get = database.prepare<{ content: string | null }, TemplateKey>(`
    select content from templates
    where app_id = $appId and locale = $locale and version = $version`)
  const versions = database.prepare<VersionRow, Omit<TemplateKey, 'version'>>(`
    select locale, version, variables, content is not null as edited, created_at as createdAt
    from templates where app_id = $appId and locale = $locale order by version desc`)

  return {
    get: (key) =>
      read((): Template | null => {
        const content = get.get(key)?.content
        return content == null ? null : JSON.parse(content)
      }),
    versions: (key) => read(() => versions.all(key).map(toVersion)),
    logo: (appId, id) => read(() => brands.logo(appId, id)),
  }
}

type VersionRow = Omit<TemplateVersion, 'edited' | 'variables'> & {
  edited: 0 | 1
  variables: string
}

function toVersion({ edited, variables, ...row }: VersionRow): TemplateVersion {
  return { ...row, edited: edited === 1, variables: JSON.parse(variables) }
}

/** The part of an app that is in this table; runs within the transactions of apps. */
export function createTemplateRows(database: Database) {
  // With max() the other columns come from the row that has it.
  const inForce = database.prepare<RefRow, { appId: string }>(`
    select locale, max(version) as version, variables, content is not null as edited
    from templates where app_id = $appId group by locale order by locale`)
  const insert = database.prepare<null, NewVersion>(`
    insert into templates (app_id, locale, version, variables, content, created_at)
    select $appId, $locale, coalesce(max(version), 0) + 1, $variables, $content, $createdAt
    from templates where app_id = $appId and locale = $locale`)
  const trim = database.prepare<null, { appId: string; locale: string; keep: number }>(`
    delete from templates where app_id = $appId and locale = $locale and version <=
      (select max(version) from templates where app_id = $appId and locale = $locale) - $keep`)

  return {
    of: (appId: string): TemplateRef[] =>
      inForce.all({ appId }).flatMap(({ edited, locale, version, variables }) => {
        return edited === 1 ? [{ locale, version, variables: JSON.parse(variables) }] : []
      }),
    write(appId: string, { locale, template, keep }: TemplateChange, createdAt: number): void {
      const variables = JSON.stringify(template?.variables ?? [])
      const content = template && JSON.stringify(template)
      insert.run({ appId, locale, variables, content, createdAt })
      trim.run({ appId, locale, keep })
    },
  }
}

type RefRow = { locale: string; version: number; variables: string; edited: 0 | 1 }
type NewVersion = {
  appId: string
  locale: string
  variables: string
  content: string | null
  createdAt: number
}
