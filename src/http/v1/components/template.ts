import { type Static, t } from 'elysia'
import { brandFields, logoBytesMax, logoSideMax } from '../../../domain/brand/brand.ts'
import { localeMust, localePattern } from '../../../domain/language.ts'
import { partBytesMax, subjectMax, versionsMax } from '../../../domain/template/template.ts'
import { namePattern, variablesMax } from '../../../domain/template/variables.ts'
import { emailPattern } from '../../core/patterns.ts'
import {
  count,
  input,
  integer,
  nullable,
  object,
  oneOf,
  output,
  shaped,
  time,
} from '../../core/schema.ts'

export const locale = shaped(localePattern, localeMust, 'The language, a BCP 47 tag like `de-AT`.')

const subject = t.String({
  maxLength: subjectMax,
  description: `One line of 1 to ${subjectMax} characters.`,
})
const text = t.String({
  maxLength: partBytesMax,
  description: `The plain text, up to ${partBytesMax / 1000} kB; must show \`{{code}}\`.`,
})
const html = t.String({
  maxLength: partBytesMax,
  description: `The HTML, up to ${partBytesMax / 1000} kB; must show \`{{code}}\`.`,
})
const variables = t.Array(t.String({ shown: { pattern: namePattern } }), {
  description: `Names that a start may give values for: up to ${variablesMax} of \`a-z_\`.`,
})
const version = count('Counts up from 1 with every change in this language.')

export const templateInput = input('TemplateInput', {
  subject,
  text,
  html,
  variables: t.Optional(variables),
})

export const templateSchema = output('Template', {
  ...{ locale, version, subject, text, html, variables },
})

export const starterSchema = output('StarterTemplate', {
  ...{ locale, subject, text, html, variables },
})

export const templateList = output('TemplateList', {
  items: t.Array(output('TemplateRef', { locale, version, variables }), {
    description: 'The templates in force, by language.',
  }),
})

export const versionList = output('TemplateVersionList', {
  items: t.Array(
    output('TemplateVersion', {
      ...{ locale, version, variables },
      edited: t.Boolean({ description: 'False for a reset to the built-in words.' }),
      created_at: time('When it was made.'),
    }),
    { description: `The newest ${versionsMax}, newest first.` },
  ),
})

const values = t.Record(t.String({ pattern: namePattern }), t.String(), {
  maxProperties: variablesMax,
  additionalProperties: false,
  reason: `must be at most ${variablesMax} strings`,
  description: 'Values of variables; one that is absent is its name.',
})

export const previewRequest = input('PreviewRequest', {
  subject: t.Optional(subject),
  text: t.Optional(text),
  html: t.Optional(html),
  variables: t.Optional(variables),
  version: t.Optional(integer(1, 1_000_000_000, 'An older version; else the one in force.')),
  values: t.Optional(values),
})

export type PreviewRequest = Static<typeof previewRequest>

export const previewSchema = output('Preview', {
  language: t.String({ description: 'The language of the message, a BCP 47 tag.' }),
  subject: t.String({ description: 'The subject.' }),
  text: t.String({ description: 'The plain text.' }),
  html: t.String({ description: 'The HTML, with the logo in it.' }),
  advice: t.Array(t.String(), {
    description: 'What would make the template better; hints, not mistakes.',
  }),
})

export const versionQuery = object({
  version: t.Optional(integer(1, 1_000_000_000, 'An older version; else the one in force.')),
})

const color = t.String({
  description: brandFields.color.says,
  shown: { pattern: '^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$' },
})
const support = t.String({
  description: brandFields.support.says,
  shown: { pattern: emailPattern },
})

export const brandChange = input('BrandChange', {
  color: t.Optional(nullable(color)),
  support: t.Optional(nullable(support)),
  logo: t.Optional(
    nullable(
      t.String({
        description: brandFields.logo.says,
        shown: { maxLength: Math.ceil(logoBytesMax / 3) * 4, contentEncoding: 'base64' },
      }),
    ),
  ),
})

export const brandSchema = output('Brand', {
  color: nullable(color),
  support: nullable(support),
  logo: nullable(
    output('Logo', {
      type: oneOf(['image/png', 'image/jpeg'], 'The kind of the picture.'),
      width: integer(1, logoSideMax, 'In pixels.'),
      height: integer(1, logoSideMax, 'In pixels.'),
    }),
    'Null without a logo.',
  ),
})
