import { findApp } from '../../domain/app/manage.ts'
import { readLocale } from '../../domain/language.ts'
import {
  findTemplate,
  resetTemplate,
  saveTemplate,
  templateVersions,
} from '../../domain/template/templates.ts'
import { previewMessage } from '../../messages/preview.ts'
import { starterTemplate } from '../../messages/starter.ts'
import { presentTemplate, presentTemplateRef, presentTemplateVersion } from '../../present.ts'
import type { Reply } from '../core/api.ts'
import { json, noContent } from '../core/pipeline.ts'
import type { Draft } from '../core/request.ts'
import type { RoutePorts } from '../core/route.ts'
import type { AdminCall } from './api.ts'
import type { PreviewRequest } from './components/template.ts'

type OfApp = AdminCall & { params: { id: string } }
type One = AdminCall & { params: { id: string; locale: string } }

export async function list(ports: RoutePorts, { params }: OfApp): Promise<Reply> {
  const { templates } = await findApp(ports, params.id)
  return json({ items: templates.map(presentTemplateRef) })
}

export async function get(
  ports: RoutePorts,
  { params, query }: One & { query: { version?: number } },
): Promise<Reply> {
  const { id: appId, locale } = params
  return json(presentTemplate(await findTemplate(ports, { appId, locale, ...query })))
}

export async function starter(ports: RoutePorts, { params }: One): Promise<Reply> {
  const locale = readLocale(params.locale)
  const template = starterTemplate(await findApp(ports, params.id), locale)
  return json({ locale, ...template })
}

export async function put(
  ports: RoutePorts,
  { actor, params, draft }: One & { draft: Draft },
): Promise<Reply> {
  const { fields: input, mistakes } = draft
  const request = { appId: params.id, locale: params.locale, input, mistakes }
  return json(presentTemplate(await saveTemplate(ports, actor, request)))
}

export async function reset(ports: RoutePorts, { actor, params }: One): Promise<Reply> {
  await resetTemplate(ports, actor, { appId: params.id, locale: params.locale })
  return noContent
}

export async function preview(
  ports: RoutePorts,
  { params, body: { version, values, ...input } }: One & { body: PreviewRequest },
): Promise<Reply> {
  const request = { appId: params.id, locale: params.locale, version, values }
  const isGiven = Object.keys(input).length > 0
  return json(await previewMessage(ports, { ...request, ...(isGiven && { input }) }))
}

export async function versions(ports: RoutePorts, { params }: One): Promise<Reply> {
  const found = await templateVersions(ports, { appId: params.id, locale: params.locale })
  return json({ items: found.map(presentTemplateVersion) })
}
