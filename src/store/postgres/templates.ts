import type { Logo } from '../../domain/brand/brand.ts'
import type { TemplateChange, TemplateStore } from '../../domain/template/store.ts'
import type { TemplateRef, TemplateVersion } from '../../domain/template/template.ts'
import { listOf, readList } from './json.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

export function createTemplateStore({ database }: Pick<Parts, 'database'>): TemplateStore {
  return {
    async get(key) {
      const [row] = await database.read<{ content: string | null }>(
        `select content from templates
        where app_id = $appId and locale = $locale and version = $version`,
        key,
      )
      return row?.content == null ? null : JSON.parse(row.content)
    },
    async versions(key) {
      const rows = await database.read<VersionRow>(
        `select locale, version, variables, content is not null as edited, created_at
        from templates where app_id = $appId and locale = $locale order by version desc`,
        key,
      )
      return rows.map(toVersion)
    },
    async logo(appId, id) {
      const [row] = await database.read<Logo>(
        `select logo_id as id, logo_type as type, logo_width as width, logo_height as height,
          logo as bytes
        from brands where app_id = $appId and logo_id = $id`,
        { appId, id },
      )
      return row ?? null
    },
  }
}

type VersionRow = Omit<TemplateVersion, 'variables'> & { variables: string }

function toVersion({ variables, ...row }: VersionRow): TemplateVersion {
  return { ...row, variables: JSON.parse(variables) }
}

/** The templates in force of the row of `apps` that a statement reads, and resets. */
export const templateList = listOf(`
  select distinct on (locale) locale, version, variables, content is not null as edited
  from templates where app_id = apps.id order by locale, version desc`)

export function readTemplates(text: string | null): TemplateRef[] {
  return readList<VersionRow>(text).flatMap(({ edited, locale, version, variables }) => {
    return edited ? [{ locale, version, variables: JSON.parse(variables) }] : []
  })
}

/** Writes within a transaction that has locked the app. */
export async function writeTemplate(
  session: Session,
  appId: string,
  { locale, template, keep }: TemplateChange,
  createdAt: number,
): Promise<void> {
  const variables = JSON.stringify(template?.variables ?? [])
  const content = template && JSON.stringify(template)
  await session.run(
    `insert into templates (app_id, locale, version, variables, content, created_at)
    select $appId, $locale, coalesce(max(version), 0) + 1, $variables, $content, $createdAt
    from templates where app_id = $appId and locale = $locale`,
    { appId, locale, variables, content, createdAt },
  )
  await session.run(
    `delete from templates where app_id = $appId and locale = $locale and version <=
      (select max(version) from templates where app_id = $appId and locale = $locale) - $keep`,
    { appId, locale, keep },
  )
}
