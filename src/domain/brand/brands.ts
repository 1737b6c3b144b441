import { changeApp, type ManagePorts } from '../app/manage.ts'
import type { Actor } from '../audit.ts'
import { type FieldError, refuseIfAny } from '../problem.ts'
import { type Brand, type BrandInput, noBrand, readBrand } from './brand.ts'

/** Changes the given fields. Throws `app_not_found`, `invalid_request` with every mistake. */
export async function updateBrand(
  ports: ManagePorts,
  actor: Actor,
  { appId, mistakes = [], ...input }: BrandInput & { appId: string; mistakes?: FieldError[] },
): Promise<Brand> {
  const app = await changeApp(ports, actor, { id: appId, action: 'brand.update' }, (current) => {
    const all = [...mistakes]
    const brand = readBrand(current.brand, input, all)
    refuseIfAny(all)
    const fields = Object.entries(input).filter(([, value]) => value !== undefined)
    return { change: { brand }, detail: fields.map(([name]) => name).join(' ') }
  })
  return app.brand ?? noBrand
}
