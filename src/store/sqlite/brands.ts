import type { Database } from 'bun:sqlite'
import type { Brand, BrandChange, Logo, LogoRef } from '../../domain/brand/brand.ts'

/** The part of an app that is in this table; runs within the transactions of apps. */
export function createBrands(database: Database) {
  const get = database.prepare<BrandRow, { appId: string }>(`
    select color, support, logo_id as id, logo_type as type, logo_width as width,
      logo_height as height
    from brands where app_id = $appId`)
  const logo = database.prepare<Logo, { appId: string; id: string }>(`
    select logo_id as id, logo_type as type, logo_width as width, logo_height as height,
      logo as bytes
    from brands where app_id = $appId and logo_id = $id`)
  const upsert = database.prepare<null, Pick<Brand, 'color' | 'support'> & { appId: string }>(`
    insert into brands (app_id, color, support) values ($appId, $color, $support)
    on conflict (app_id) do update set color = $color, support = $support`)
  const setLogo = database.prepare<null, LogoRow & { appId: string }>(`
    update brands set logo_id = $id, logo_type = $type, logo_width = $width,
      logo_height = $height, logo = $bytes
    where app_id = $appId`)

  return {
    of(appId: string): Brand | null {
      const row = get.get({ appId })
      if (!row) return null
      const { color, support, ...picture } = row
      return { color, support, logo: picture.id === null ? null : (picture as LogoRef) }
    },
    logo: (appId: string, id: string): Logo | null => logo.get({ appId, id }),
    write(appId: string, { brand: { color, support }, logo: picture }: BrandChange): void {
      upsert.run({ appId, color, support })
      if (picture !== undefined) setLogo.run({ appId, ...(picture ?? noLogo) })
    },
  }
}

type Nullable<Row> = { [Name in keyof Row]: Row[Name] | null }
type LogoRow = Nullable<Logo>
type BrandRow = Pick<Brand, 'color' | 'support'> & Nullable<LogoRef>

const noLogo: LogoRow = { id: null, type: null, width: null, height: null, bytes: null }
