import { changeApp, findApp, type ManagePorts } from '../app/manage.ts'
import type { Actor } from '../audit.ts'
import { readLocale } from '../language.ts'
import type { Ports } from '../ports.ts'
import { type FieldError, Problem, refuseIfAny } from '../problem.ts'
import { readTemplate, type TemplateInput } from './check.ts'
import {
  localesMax,
  type Template,
  type TemplateKey,
  type TemplateRef,
  type TemplateVersion,
  versionsMax,
} from './template.ts'

type Place = { appId: string; locale: string }
type Edit = Place & { input: TemplateInput; mistakes?: FieldError[] }

/** A template with what names it. */
export type StoredTemplate = TemplateRef & { template: Template }

/**
 * Checks and stores a new version of a language's template; it is in force from then on. Throws
 * `app_not_found`, `invalid_request` with every mistake, `too_many_templates`.
 */
export async function saveTemplate(
  ports: ManagePorts & Pick<Ports, 'templating'>,
  actor: Actor,
  { appId, locale: text, input, mistakes = [] }: Edit,
): Promise<StoredTemplate> {
  const locale = readLocale(text)
  await findApp(ports, appId)
  const template = checkedTemplate(ports, { locale, input, mistakes })
  const app = await changeApp(ports, actor, { id: appId, action: 'template.save' }, (current) => {
    const isNew = !current.templates.some((ref) => ref.locale === locale)
    if (isNew && current.templates.length >= localesMax) throw new Problem('too_many_templates')
    const change = { template: { locale, template, keep: versionsMax } }
    return { change, detail: `locale ${locale}` }
  })
  return { ...inForce(app.templates, locale), template }
}

/** Reads a template without storing it. Throws `invalid_request` with every mistake. */
export function checkedTemplate(
  { templating }: Pick<Ports, 'templating'>,
  { locale, input, mistakes = [] }: Omit<Edit, 'appId'>,
): Template {
  const { parse, hasWords } = templating
  const all = [...mistakes]
  const template = readTemplate({ parse, input, hasWords: hasWords(locale), mistakes: all })
  refuseIfAny(all)
  if (!template) throw new Problem('invalid_request')
  return template
}

/** Puts the built-in words back in force; older versions stay. Throws `template_not_found`. */
export async function resetTemplate(
  ports: ManagePorts,
  actor: Actor,
  { appId, locale: text }: Place,
): Promise<void> {
  const locale = readLocale(text)
  await changeApp(ports, actor, { id: appId, action: 'template.reset' }, (current) => {
    inForce(current.templates, locale)
    const change = { template: { locale, template: null, keep: versionsMax } }
    return { change, detail: `locale ${locale}` }
  })
}

/**
 * The template in force, or an older version of it. Throws `app_not_found`, `template_not_found`.
 */
export async function findTemplate(
  ports: Pick<Ports, 'apps' | 'templates'>,
  { appId, locale: text, version }: Place & { version?: number | undefined },
): Promise<StoredTemplate> {
  const locale = readLocale(text)
  const { templates } = await findApp(ports, appId)
  const key: TemplateKey = {
    ...{ appId, locale },
    version: version ?? inForce(templates, locale).version,
  }
  const template = await ports.templates.get(key)
  if (!template) throw new Problem('template_not_found')
  return { locale, version: key.version, variables: template.variables, template }
}

/** The kept versions of a language, newest first. Throws `app_not_found`, `template_not_found`. */
export async function templateVersions(
  ports: Pick<Ports, 'apps' | 'templates'>,
  { appId, locale: text }: Place,
): Promise<TemplateVersion[]> {
  const locale = readLocale(text)
  await findApp(ports, appId)
  const versions = await ports.templates.versions({ appId, locale })
  if (versions.length === 0) throw new Problem('template_not_found')
  return versions
}

function inForce(templates: TemplateRef[], locale: string): TemplateRef {
  const ref = templates.find((candidate) => candidate.locale === locale)
  if (!ref) throw new Problem('template_not_found')
  return ref
}
