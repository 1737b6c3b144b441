import type { Operation } from '../../core/route.ts'
import { id } from '../../core/schema.ts'
import {
  brandChange,
  brandSchema,
  locale,
  previewRequest,
  previewSchema,
  starterSchema,
  templateInput,
  templateList,
  templateSchema,
  versionList,
  versionQuery,
} from '../components/template.ts'

const tag = 'Messages'
const params = { id: id('The app’s id.') }
const localeParams = { ...params, locale }
/** Two parts of 20 kB, and room for what JSON escapes. */
const bodyBytesMax = 128 * 1024

const example = {
  subject: '{{code}} is your {{app}} code',
  text: '{{code}} is your code{{#first_name}}, {{first_name}}{{/first_name}}.\n\n{{valid}}\n',
  html: '<p>Your code is</p>\n<p style="font-size: 36px">{{code}}</p>\n<p>{{valid}}</p>\n',
  variables: ['first_name'],
}
const exampleRef = { locale: 'en', version: 3, variables: ['first_name'] }
const exampleBrand = {
  color: '#0a5c36',
  support: 'help@example.com',
  logo: { type: 'image/png', width: 240, height: 80 },
} as const

export const listTemplates = {
  id: 'listTemplates',
  tag,
  summary: 'List an app’s templates',
  description: 'Languages without a template use the built-in words.',
  params,
  answers: {
    200: {
      description: 'The templates in force.',
      schema: templateList,
      example: { items: [exampleRef] },
    },
  },
  problems: ['app_not_found'],
} satisfies Operation

export const getTemplate = {
  id: 'getTemplate',
  tag,
  summary: 'Read a template',
  params: localeParams,
  query: versionQuery,
  answers: {
    200: {
      description: 'The template in force, or the older version that was asked for.',
      schema: templateSchema,
      example: { ...exampleRef, ...example },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'template_not_found'],
} satisfies Operation

export const getStarter = {
  id: 'getStarterTemplate',
  tag,
  summary: 'Read the built-in message of a language as a template, to begin with',
  params: localeParams,
  answers: {
    200: {
      description: 'The template; nothing is stored.',
      schema: starterSchema,
      example: { locale: 'en', ...example },
    },
  },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation

export const putTemplate = {
  id: 'putTemplate',
  tag,
  summary: 'Write a language’s template',
  description:
    'Mustache, of which templates may use names, sections and comments. Checked before it is ' +
    'stored; in force at once. Earlier versions are kept.',
  params: localeParams,
  draft: templateInput,
  bodyBytesMax,
  example,
  answers: {
    200: {
      description: 'Stored as a new version.',
      schema: templateSchema,
      example: { ...exampleRef, ...example },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'too_many_templates'],
} satisfies Operation

export const resetTemplate = {
  id: 'resetTemplate',
  tag,
  summary: 'Put the built-in words of a language back in force',
  description: 'Counts as a version; earlier ones stay readable.',
  params: localeParams,
  answers: { 204: { description: 'Reset.' } },
  problems: ['invalid_request', 'app_not_found', 'template_not_found'],
} satisfies Operation

export const listTemplateVersions = {
  id: 'listTemplateVersions',
  tag,
  summary: 'List the kept versions of a language’s template',
  params: localeParams,
  answers: {
    200: {
      description: 'Newest first.',
      schema: versionList,
      example: { items: [{ ...exampleRef, edited: true, created_at: '2026-11-22T09:00:00.000Z' }] },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'template_not_found'],
} satisfies Operation

export const previewTemplate = {
  id: 'previewTemplate',
  tag,
  summary: 'See a message as a person would get it',
  description:
    'Of the template in the body, or else of what is in force: the template, or the built-in ' +
    'words. Nothing is ' +
    'stored or sent; the code belongs to nothing.',
  params: localeParams,
  body: previewRequest,
  bodyBytesMax,
  example: { ...example, values: { first_name: 'Ada' } },
  answers: {
    200: {
      description: 'The message.',
      schema: previewSchema,
      example: {
        language: 'en',
        subject: '123456 is your Acme code',
        text: '123456 is your code, Ada.\n\nIt is valid for 10 minutes.',
        html: '<p>Your code is</p>…',
        advice: ['The HTML names no language: lang="..." on its outer element.'],
      },
    },
  },
  problems: ['invalid_request', 'app_not_found', 'template_not_found'],
  reads: true,
} satisfies Operation

export const getBrand = {
  id: 'getBrand',
  tag,
  summary: 'Read what an app’s messages show of it',
  params,
  answers: { 200: { description: 'The brand.', schema: brandSchema, example: exampleBrand } },
  problems: ['app_not_found'],
} satisfies Operation

export const updateBrand = {
  id: 'updateBrand',
  tag,
  summary: 'Change what an app’s messages show of it',
  description: 'Absent fields stay as they are; null unsets one.',
  params,
  draft: brandChange,
  bodyBytesMax,
  example: { color: '#0a5c36', support: 'help@example.com' },
  answers: { 200: { description: 'Changed.', schema: brandSchema, example: exampleBrand } },
  problems: ['invalid_request', 'app_not_found'],
} satisfies Operation
