import { type Option, sections } from './kinds.ts'
import { type OptionName, optionList } from './options.ts'

/** Every setting with its default, for `serve --help`. */
export function describeSettings(): string {
  const blocks = sections.map((section) => {
    const lines = inSection(section).flatMap(([name, option]) => [
      `  ${name}${option.flag ? `  --${option.flag}` : ''}`,
      `      ${plain(option.description)}`,
      `      Must be ${option.allowed}.`,
      `      Default: ${plain(defaultOf(option))}.`,
    ])
    return [section, ...lines].join('\n')
  })
  return `${blocks.join('\n\n')}\n`
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const tables = sections.map((section) => {
    const rows = inSection(section).map(([name, option]) => {
      const names = option.flag ? `\`${name}\`<br>\`--${option.flag}\`` : `\`${name}\``
      return `| ${names} | ${defaultOf(option)} | ${option.allowed} | ${option.description} |`
    })
    const head = ['| setting | default | must be | what it does |', '|---|---|---|---|']
    return [`## ${section}`, '', ...head, ...rows].join('\n')
  })
  return `${introduction}\n\n${tables.join('\n\n')}\n`
}

const introduction = `# Configuration

<!-- Written by scripts/docs.ts from src/config/options.ts. Change the table there. -->

Settings are environment variables; some are also flags of \`otpmint serve\`, and a flag wins. An
empty variable counts as not set; an empty secret is a mistake. \`otpmint\` names all mistakes at
once, also unknown \`OTPMINT_\` variables, and exits with status 78. \`otpmint doctor\` shows the
settings of a running server.

A secret can also be in a file that \`<name>_FILE\` names, which only its owner can read (mode
0600 or 0400); setting both is a mistake. The master key is read from the first of these that
exists: \`$CREDENTIALS_DIRECTORY/master_key\` (systemd's \`LoadCredential=\`),
\`OTPMINT_MASTER_KEY_FILE\`, \`OTPMINT_MASTER_KEY\`, \`master.key\` in the data directory. Without
the master key a database and its backups are useless: keep a copy of it elsewhere.

An app may choose the length and the life of its codes in its policy; it can only make everything
else stricter than here. A setting that is made stricter later applies to every app at once.`

function inSection(section: Option['section']): [OptionName, Option][] {
  return optionList.filter(([, option]) => option.section === section)
}

export function defaultOf({ default: value, defaultText }: Option): string {
  return defaultText ?? String(value)
}

/** Without Markdown's code marks, for a terminal. */
export function plain(text: string): string {
  return text.replaceAll('`', '')
}
