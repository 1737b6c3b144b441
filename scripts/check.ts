/** `bun run check`: checks format, lint, types and commit subjects; CI runs it before the tests. */
import { join } from 'node:path'
import { isWellFormed } from './commit-subject.ts'

const root = join(import.meta.dir, '..')
const commitsChecked = 20
const colors = process.stdout.isTTY ? 'force' : 'off'

const checks: [name: string, run: () => string[]][] = [
  ['format and lint', () => command('biome', 'ci', '--error-on-warnings', `--colors=${colors}`)],
  ['types', () => command('tsc', '--noEmit')],
  ['types of the dashboard', () => command('tsc', '--noEmit', '--project', 'src/dashboard')],
  ['commit subjects', commitSubjects],
]

let failed = 0
for (const [name, run] of checks) {
  const findings = run()
  if (findings.length > 0) failed++
  process.stdout.write(`${findings.length > 0 ? 'failed' : 'ok    '}  ${name}\n`)
  for (const finding of findings) process.stdout.write(`${finding}\n`)
}
process.exitCode = failed > 0 ? 1 : 0

function command(tool: string, ...args: string[]): string[] {
  const file = join(root, 'node_modules/.bin', tool)
  const { exitCode, stdout, stderr } = Bun.spawnSync([file, ...args], { cwd: root })
  return exitCode === 0 ? [] : [`${stdout}${stderr}`.trimEnd()]
}

/** `type(scope): imperative`, the form that CONTRIBUTING.md asks for. */
function commitSubjects(): string[] {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    ['git', 'log', '--no-merges', `-${commitsChecked}`, '--format=%h %s'],
    { cwd: root },
  )
  if (exitCode !== 0) return [stderr.toString().trimEnd()]
  const lines = stdout.toString().split('\n').filter(Boolean)
  return lines.filter((line) => !isWellFormed(line.slice(line.indexOf(' ') + 1)))
}
