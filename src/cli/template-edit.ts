import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { App } from '../domain/app/app.ts'
import { findApp } from '../domain/app/manage.ts'
import { readLocale } from '../domain/language.ts'
import { Problem } from '../domain/problem.ts'
import { adviceOn } from '../domain/template/advice.ts'
import type { TemplateInput } from '../domain/template/check.ts'
import { type StoredTemplate, saveTemplate } from '../domain/template/templates.ts'
import { presentTemplate } from '../present.ts'
import { type Args, type Command, jsonFlag, wrongUsage } from './command.ts'
import { readText } from './fields.ts'
import { appOperand, cliActor, dataFlag, withPorts } from './installation.ts'
import { exitCodes, type Io } from './io.ts'
import { printJson } from './output.ts'
import { localeOperand, tellAdvice, templateOrStarter } from './template.ts'
import { namesIn, placed, readTemplateFile, writeTemplateFile } from './template-file.ts'

const partFlags = ['subject-file', 'text-file', 'html-file'] as const

export const templateEdit: Command = {
  name: 'template edit',
  summary: 'Edit what the messages of an app say in one language.',
  about: [
    'Opens the template, or the built-in message for a language without one, in $VISUAL or $EDITOR,',
    'checks it and puts it in force. What is refused is kept in its file. In a script: --file, or',
    '--subject-file, --text-file and --html-file.',
  ].join('\n'),
  operands: [appOperand, localeOperand],
  flags: {
    file: {
      value: 'FILE',
      help: 'All of it, as "template show" prints it, or - for standard input.',
    },
    'subject-file': { value: 'FILE', help: 'The subject, or - for standard input.' },
    'text-file': { value: 'FILE', help: 'The plain text.' },
    'html-file': { value: 'FILE', help: 'The HTML.' },
    variables: { value: 'NAMES', help: 'The names that starts give values for, with commas.' },
    ...dataFlag,
    ...jsonFlag,
  },
  examples: [
    'otpmint template edit 3kTMd0Pz0a6uYxQWtqGmVb de',
    'otpmint template edit 3kTMd0Pz0a6uYxQWtqGmVb de --file - < de.txt',
    'otpmint template edit 3kTMd0Pz0a6uYxQWtqGmVb de --subject-file s.txt --text-file t.txt \\',
    '  --html-file h.html --variables first_name',
  ],
  async run(args, io) {
    const file = args.text('file')
    if (partFlags.some(args.has)) return save(args, io, await partsFrom(args, io))
    if (file !== undefined) return saveFile(args, io, file, await readText('file', file, io))
    return editFile(args, io)
  },
}

async function partsFrom(args: Args, io: Io): Promise<TemplateInput> {
  const read = async (flag: (typeof partFlags)[number]) => {
    const path = args.text(flag)
    return path === undefined ? undefined : readText(flag, path, io)
  }
  const [subject, text, html] = [
    await read('subject-file'),
    await read('text-file'),
    await read('html-file'),
  ]
  const names = args.text('variables')
  return { subject, text, html, ...(names !== undefined && { variables: namesIn(names) }) }
}

/** Opens an editor. Nothing is open meanwhile, because a person may take hours. */
async function editFile(args: Args, io: Io): Promise<number> {
  if (!io.edit) throw wrongUsage('set $VISUAL or $EDITOR, or name files: --file, or --text-file')
  const place = { appId: args.operand(0), locale: readLocale(args.operand(1)) }
  let before = ''
  await withPorts(args, io, async (ports) => {
    before = writeTemplateFile(await templateOrStarter(ports, place))
    return exitCodes.done
  })
  const directory = await mkdtemp(join(tmpdir(), 'otpmint-template-'))
  const path = join(directory, `${place.locale}.txt`)
  await writeFile(path, before, { mode: 0o600 })
  const hasEdited = await io.edit(path)
  const after = await readFile(path, 'utf8').catch(() => before)
  if (!hasEdited || after === before) {
    await rm(directory, { recursive: true })
    io.err(hasEdited ? 'nothing was changed\n' : 'the editor failed: nothing was changed\n')
    return hasEdited ? exitCodes.done : exitCodes.failed
  }
  const status = await saveFile(args, io, path, after)
  if (status === exitCodes.done) await rm(directory, { recursive: true })
  else {
    const again = `otpmint template edit ${place.appId} ${place.locale} --file ${path}`
    io.err(`your text is kept: correct it there, then "${again}"\n`)
  }
  return status
}

/** Saves a template of one file; what is wrong is told by the lines of the file. */
async function saveFile(args: Args, io: Io, path: string, text: string): Promise<number> {
  const file = readTemplateFile(text)
  try {
    return await save(args, io, file.input)
  } catch (error) {
    if (!(error instanceof Problem) || !error.extra.errors) throw error
    for (const line of placed(path, file, error.extra.errors)) io.err(`${line}\n`)
    return exitCodes.usage
  }
}

function save(args: Args, io: Io, input: TemplateInput): Promise<number> {
  return withPorts(args, io, async (ports) => {
    const request = { appId: args.operand(0), locale: args.operand(1), input }
    const stored = await saveTemplate(ports, cliActor, request)
    if (args.has('json')) printJson(io, presentTemplate(stored))
    else tell(io, stored, await findApp(ports, request.appId))
    return exitCodes.done
  })
}

function tell(io: Io, { locale, version, template }: StoredTemplate, { policy }: App): void {
  io.out(`${locale} version ${version} is in force\n`)
  tellAdvice(io, adviceOn(template, policy))
}
