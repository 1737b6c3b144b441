import type { FieldError } from '../domain/problem.ts'
import type { TemplateInput } from '../domain/template/check.ts'
import type { Template } from '../domain/template/template.ts'

/** A template in one file, for an editor: a head, the text, the HTML. */
export function writeTemplateFile({ subject, text, html, variables }: Template): string {
  const head = [`subject: ${subject}`, `variables: ${variables.join(', ')}`.trimEnd()]
  return `${head.join('\n')}\n--- text\n${withEnd(text)}--- html\n${withEnd(html)}`
}

function withEnd(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

export type TemplateFile = {
  input: TemplateInput
  /** The line before the first one of the part. */
  linesBefore: { text: number; html: number }
}

/** Reads such a file; a part that is absent is missing in `input` too. */
export function readTemplateFile(file: string): TemplateFile {
  const lines = file.replace(/\r\n?/g, '\n').split('\n')
  const textAt = lines.findIndex((line) => /^---\s*text\s*$/i.test(line))
  const htmlAt = lines.findIndex((line) => /^---\s*html\s*$/i.test(line))
  const head = lines.slice(0, textAt < 0 ? lines.length : textAt)
  const value = (name: string) => {
    const line = head.find((one) => one.toLowerCase().startsWith(`${name}:`))
    return line?.slice(name.length + 1).trim()
  }
  const names = value('variables')
  const between = (from: number, to: number) =>
    from < 0 ? undefined : lines.slice(from + 1, to < from ? lines.length : to).join('\n')
  return {
    input: {
      subject: value('subject'),
      text: between(textAt, htmlAt),
      html: between(htmlAt, textAt),
      ...(names && { variables: namesIn(names) }),
    },
    linesBefore: { text: textAt + 1, html: htmlAt + 1 },
  }
}

/** Names that are separated by commas or spaces. */
export function namesIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '')
}

/** The mistakes of a template as an editor shows them: `FILE:LINE: what is wrong`. */
export function placed(
  file: string,
  { linesBefore }: TemplateFile,
  errors: FieldError[],
): string[] {
  return errors.map(({ field, reason }) => {
    const found = /^line (\d+): (.*)$/.exec(reason)
    const before = field === 'text' || field === 'html' ? linesBefore[field] : 0
    const line = found ? before + Number(found[1]) : field === 'subject' ? 1 : before || 1
    return `${file}:${line}: ${field} ${found?.[2] ?? reason}`
  })
}
