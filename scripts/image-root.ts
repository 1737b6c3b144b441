/**
 * `bun scripts/image-root.ts DIR` writes the contents of the container image: DIR/root, its file
 * system, and DIR/data, the empty volume. The Dockerfile copies both, and
 * test/packaging/image.test.ts runs them.
 */
import { chmod, copyFile, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const project = join(import.meta.dir, '..')
/** The user id of common non-root images. */
const user = 65_532

const [target] = process.argv.slice(2)
if (target) await writeImage(target)
else process.exitCode = 2

async function writeImage(target: string): Promise<void> {
  const root = join(target, 'root')
  const executable = join(project, 'dist/otpmint')
  for (const library of libraries(executable, nativeFile())) await place(library, root, library)
  await place(executable, root, '/otpmint')

  await Bun.write(
    join(root, 'etc/passwd'),
    `root:x:0:0::/:/sbin/nologin\notpmint:x:${user}:${user}::/data:/sbin/nologin\n`,
  )
  await Bun.write(join(root, 'etc/group'), `root:x:0:\notpmint:x:${user}:\n`)
  await Bun.write(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n')
  for (const mountPoint of ['proc', 'dev', 'sys']) await mkdir(join(root, mountPoint))
  await mkdir(join(root, 'tmp'))
  await chmod(join(root, 'tmp'), 0o1777)
  await mkdir(join(target, 'data'), { mode: 0o700 })
}

/** The paths of every shared library that the files need, with the loader. */
function libraries(...files: string[]): string[] {
  const { stdout, exitCode } = Bun.spawnSync(['ldd', ...files])
  if (exitCode !== 0) throw new Error('ldd failed: build the executable first')
  const paths = stdout.toString().matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)
  return [...new Set([...paths].map(([, path = '']) => path))].sort()
}

function nativeFile(): string {
  const triple = `linux-${process.arch}-gnu`
  return Bun.resolveSync(`@node-rs/argon2-${triple}/argon2.${triple}.node`, project)
}

async function place(file: string, root: string, path: string): Promise<void> {
  const copy = join(root, path)
  await mkdir(dirname(copy), { recursive: true })
  await copyFile(file, copy)
  await chmod(copy, 0o755)
}
