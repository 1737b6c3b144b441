import { expect, test } from 'bun:test'
import { parseEnvironmentFile } from '../../src/config/environment-file.ts'

const lines: [text: string, variables: Record<string, string>][] = [
  ['OTPMINT_PORT=80', { OTPMINT_PORT: '80' }],
  ['  OTPMINT_PORT=80  \r\n', { OTPMINT_PORT: '80' }],
  ['A=', { A: '' }],
  ['A=b=c', { A: 'b=c' }],
  ['A="b c"', { A: 'b c' }],
  ["A='b \\ \"c'", { A: 'b \\ "c' }],
  ['A="b \\" \\\\ \\$c"', { A: 'b " \\ $c' }],
  ['A=b\\ c', { A: 'b c' }],
  ['A=b \\\nc', { A: 'b c' }],
  ['A=b # c', { A: 'b # c' }],
  ['# A=b\n; B=c\n\nC=d', { C: 'd' }],
  ['A=1\nA=2', { A: '2' }],
  ['no variable\n=1\n1A=2\nexport', {}],
]

test.each(lines)('an environment file %j is read as systemd reads it', (text, variables) => {
  expect(parseEnvironmentFile(text)).toEqual(variables)
})
