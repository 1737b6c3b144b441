import { findApp } from '../domain/app/manage.ts'
import { readLocale } from '../domain/language.ts'
import type { Ports } from '../domain/ports.ts'
import { Problem } from '../domain/problem.ts'
import type { Template, TemplateVersion } from '../domain/template/template.ts'
import { findTemplate, resetTemplate, templateVersions } from '../domain/template/templates.ts'
import { previewMessage } from '../messages/preview.ts'
import { starterTemplate } from '../messages/starter.ts'
import { presentTemplate, presentTemplateRef, presentTemplateVersion } from '../present.ts'
import { type Command, type Flags, jsonFlag, type Operand, wholeNumber } from './command.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printJson, printTable, timeText } from './output.ts'
import { writeTemplateFile } from './template-file.ts'

export const localeOperand: Operand = { name: 'LOCALE', help: 'the language, such as de or pt-BR' }

const versionFlag: Flags = {
  version: { value: 'N', help: 'An older version, as "template list" shows it.' },
}

export const templateList: Command = {
  name: 'template list',
  summary: 'List the templates of an app, or the versions of one.',
  about: 'Languages that are not listed use the built-in words.',
  operands: [appOperand, { ...localeOperand, optional: true }],
  flags: { ...dataFlag, ...jsonFlag },
  examples: [
    'otpmint template list 3kTMd0Pz0a6uYxQWtqGmVb',
    'otpmint template list 3kTMd0Pz0a6uYxQWtqGmVb de',
  ],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      const [appId, locale] = [args.operand(0), args.operand(1)]
      if (locale !== '') {
        const versions = await templateVersions(ports, { appId, locale })
        if (args.has('json')) printJson(io, { items: versions.map(presentTemplateVersion) })
        else printVersions(io, versions)
        return exitCodes.done
      }
      const { templates } = await findApp(ports, appId)
      if (args.has('json')) printJson(io, { items: templates.map(presentTemplateRef) })
      else {
        const rows = templates.map(({ locale: tag, version, variables }) => {
          return [tag, String(version), variables.join(' ') || '-']
        })
        printTable(io, ['LOCALE', 'VERSION', 'VARIABLES'], rows)
      }
      return exitCodes.done
    }),
}

function printVersions(io: Io, versions: TemplateVersion[]): void {
  const rows = versions.map(({ version, edited, createdAt }) => {
    return [String(version), edited ? 'edited' : 'reset', timeText(createdAt)]
  })
  printTable(io, ['VERSION', 'KIND', 'MADE'], rows)
}

export const templateShow: Command = {
  name: 'template show',
  summary: 'Show a template, in the form that "template edit --file" takes.',
  about: [
    'Shows the template in force, or an older version. For a language without a template: the',
    'built-in message as a template.',
  ].join('\n'),
  operands: [appOperand, localeOperand],
  flags: { ...versionFlag, ...dataFlag, ...jsonFlag },
  examples: ['otpmint template show 3kTMd0Pz0a6uYxQWtqGmVb de > de.txt'],
  run: (args, io) => {
    const version = versionOf(args)
    return withPorts(args, io, async (ports) => {
      const place = { appId: args.operand(0), locale: args.operand(1), version }
      if (args.has('json')) printJson(io, presentTemplate(await findTemplate(ports, place)))
      else io.out(writeTemplateFile(await templateOrStarter(ports, place)))
      return exitCodes.done
    })
  },
}

export const templatePreview: Command = {
  name: 'template preview',
  summary: 'Show a message as a person would get it.',
  about: [
    'Shows subject and text of what is in force, with a code that belongs to nothing, and hints about',
    'what could be better. --html prints the HTML instead, for a file that a browser opens.',
  ].join('\n'),
  operands: [appOperand, localeOperand],
  flags: {
    html: { help: 'Print the HTML.' },
    ...versionFlag,
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint template preview 3kTMd0Pz0a6uYxQWtqGmVb de',
    'otpmint template preview 3kTMd0Pz0a6uYxQWtqGmVb de --html > preview.html',
  ],
  run: (args, io) => {
    const version = versionOf(args)
    return withPorts(args, io, async (ports) => {
      const place = { appId: args.operand(0), locale: args.operand(1), version }
      const preview = await previewMessage(ports, place)
      if (args.has('json')) printJson(io, preview)
      else if (args.has('html')) io.out(`${preview.html}\n`)
      else {
        io.out(`${preview.subject}\n\n${preview.text}\n`)
        tellAdvice(io, preview.advice)
      }
      return exitCodes.done
    })
  },
}

export const templateReset: Command = {
  name: 'template reset',
  summary: 'Put the built-in words of a language back in force.',
  about: 'The template stays readable as an older version: "template show --version".',
  operands: [appOperand, localeOperand],
  flags: dataFlag,
  examples: ['otpmint template reset 3kTMd0Pz0a6uYxQWtqGmVb de'],
  run: (args, io) =>
    withPorts(args, io, async (ports) => {
      await resetTemplate(ports, cliActor, { appId: args.operand(0), locale: args.operand(1) })
      io.out('reset\n')
      return exitCodes.done
    }),
}

/** The template in force or of this version; for a language without one the built-in message. */
export async function templateOrStarter(
  ports: Pick<Ports, 'apps' | 'templates'>,
  place: { appId: string; locale: string; version?: number | undefined },
): Promise<Template> {
  try {
    return (await findTemplate(ports, place)).template
  } catch (error) {
    const isNone = error instanceof Problem && error.code === 'template_not_found'
    if (!isNone || place.version !== undefined) throw error
    return starterTemplate(await findApp(ports, place.appId), readLocale(place.locale))
  }
}

export function tellAdvice(io: Pick<Io, 'err'>, advice: string[]): void {
  for (const says of advice) io.err(`hint: ${says}\n`)
}

function versionOf(args: Parameters<Command['run']>[0]): number | undefined {
  if (!args.has('version')) return undefined
  return wholeNumber(args, 'version', { min: 1, max: 999_999_999, usual: 1 })
}
