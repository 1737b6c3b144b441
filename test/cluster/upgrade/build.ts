import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dir, '../../..')

/**
 * Builds the next version: this source with one more migration. Returns the path of the executable.
 * There is no older release, so this one is the version before.
 */
export function buildNext(folder: string): string {
  for (const path of ['src', 'scripts', 'package.json', 'tsconfig.json', 'bunfig.toml']) {
    cpSync(join(root, path), join(folder, path), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const migrations = join(folder, 'src/store/postgres/migrations')
  for (const name of ['002-expand.sql', '002-contract.sql']) {
    cpSync(join(import.meta.dir, name), join(migrations, name))
  }
  const list = join(migrations, 'index.ts')
  const text = readFileSync(list, 'utf8')
  const more = text.replace('contract: null }]', 'contract: null }, { expand, contract }]')
  if (more === text) throw new Error('the list of migrations has another form')
  const imports = ['expand', 'contract'].map((step) => {
    return `import ${step} from './002-${step}.sql' with { type: 'text' }\n`
  })
  writeFileSync(list, imports.join('') + more)
  const build = [process.execPath, join(folder, 'scripts/build.ts')]
  const { success, stdout, stderr } = Bun.spawnSync(build, { cwd: folder })
  if (!success) throw new Error(`the next version does not build: ${stdout}${stderr}`)
  return join(folder, 'dist/otpmint')
}
