/**
 * Reads the variables of a systemd `EnvironmentFile=`: one `NAME=value` a line, `#` and `;` begin
 * comments, values may be quoted, a backslash at the end joins lines. Other lines are skipped, as
 * systemd does.
 */
export function parseEnvironmentFile(text: string): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const line of text.replace(/\\\r?\n/g, '').split(/\r?\n/)) {
    const [, name, value = ''] = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? []
    if (name !== undefined) variables[name] = unquoted(value.trim())
  }
  return variables
}

/** Unquotes a value as systemd does; a backslash escapes one character except in single quotes. */
function unquoted(value: string): string {
  const single = /^'([^']*)'/.exec(value)
  if (single) return single[1] ?? ''
  const double = /^"((?:[^"\\]|\\.)*)"/.exec(value)
  if (double) return (double[1] ?? '').replace(/\\(["\\$`])/g, '$1')
  return value.replace(/\\(.)/g, '$1')
}
