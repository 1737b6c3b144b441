import type { Brand, BrandChange, Logo, LogoRef } from '../../domain/brand/brand.ts'
import { listOf, readList } from './json.ts'
import type { Session } from './lanes.ts'

/** The brand of the row of `apps` that a statement reads. */
export const brandList = listOf(`
  select color, support, logo_id as id, logo_type as type, logo_width as width,
    logo_height as height
  from brands where app_id = apps.id`)

export function readStoredBrand(text: string | null): Brand | null {
  const [row] = readList<Pick<Brand, 'color' | 'support'> & Nullable<LogoRef>>(text)
  if (!row) return null
  const { color, support, ...picture } = row
  return { color, support, logo: picture.id === null ? null : (picture as LogoRef) }
}

/** Writes within a transaction that has locked the app. */
export async function writeBrand(
  session: Session,
  appId: string,
  { brand: { color, support }, logo }: BrandChange,
): Promise<void> {
  await session.run(
    `insert into brands (app_id, color, support) values ($appId, $color, $support)
    on conflict (app_id) do update set color = excluded.color, support = excluded.support`,
    { appId, color, support },
  )
  if (logo === undefined) return
  await session.run(
    `update brands set logo_id = $id, logo_type = $type, logo_width = $width,
      logo_height = $height, logo = $bytes
    where app_id = $appId`,
    { appId, ...(logo ?? noLogo) },
  )
}

type Nullable<Row> = { [Name in keyof Row]: Row[Name] | null }

const noLogo: Nullable<Logo> = { id: null, type: null, width: null, height: null, bytes: null }
