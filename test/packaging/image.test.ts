import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../support/port.ts'

// Building, emulating and starting many processes takes longer than other tests do.
setDefaultTimeout(120_000)

/*
 * Runs the image without Docker: the file system that scripts/image-root.ts writes and the
 * Dockerfile copies, read-only, with the user, environment, entry point, command and health check of
 * the Dockerfile. Needs root, for chroot.
 */
const project = join(import.meta.dir, '../..')
const dockerfile = (await Bun.file(join(project, 'Dockerfile')).text()).replaceAll('\\\n', '')
const [, finalStage = ''] = dockerfile.split(/^FROM scratch$/m)

const image = mkdtempSync(join(tmpdir(), 'otpmint-image-'))
afterAll(() => rmSync(image, { recursive: true, force: true }))

beforeAll(() => {
  const script = ['bun', join(project, 'scripts/image-root.ts'), image]
  const { exitCode, stderr } = Bun.spawnSync(script, { cwd: project })
  expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: 0, stderr: '' })
  // As COPY --chown does, and where a container's volume would be mounted.
  chownSync(join(image, 'data'), 65_532, 65_532)
  mkdirSync(join(image, 'root/data'))
})

test('the Dockerfile copies what the script wrote, and nothing else', () => {
  expect(dockerfile).toContain('bun scripts/image-root.ts /image\n')
  expect(instructions('COPY')).toEqual([
    '--from=build /image/root /',
    '--from=build --chown=65532:65532 --chmod=0700 /image/data /data',
  ])
  expect(instructions('USER')).toEqual(['65532:65532'])
  expect(instructions('VOLUME')).toEqual(['["/data"]'])
})

test('the image holds the executable, its libraries and three small files', () => {
  const files = readdirSync(join(image, 'root'), { recursive: true, withFileTypes: true })
  const names = files.filter((file) => file.isFile()).map(({ name }) => name)
  const libraries = names.filter((name) => /\.so\./.test(name))

  expect(libraries.map((name) => name.split(/[-.]/)[0]).sort()).toEqual(
    ['ld', 'libc', 'libdl', 'libgcc_s', 'libm', 'libpthread', 'librt'].sort(),
  )
  expect(names.filter((name) => !libraries.includes(name)).sort()).toEqual(
    ['group', 'nsswitch.conf', 'otpmint', 'passwd'].sort(),
  )
})

test('the image serves, is healthy and stops, read-only and as an unprivileged user', async () => {
  const port = freePort()
  const story = await inImage({
    OTPMINT_PORT: `${port}`,
    OTPMINT_METRICS_LISTEN: '127.0.0.1:0',
    OTPMINT_DASHBOARD_LISTEN: 'off',
  })

  expect(story).toContain('step version exited 0')
  expect(story).toMatch(/"event":"listening"/)
  expect(story).toContain('step user 65532 65532')
  expect(story).toContain('step health exited 0')
  expect(story).toContain('step serve exited 0')
  expect(story).toContain('step health afterwards exited 1')
  expect(statSync(join(image, 'data/master.key')).mode & 0o777).toBe(0o600)
})

test('a passphrase works in the image with and without a place for the native argon2', async () => {
  const settings = {
    OTPMINT_METRICS_LISTEN: '127.0.0.1:0',
    OTPMINT_DASHBOARD_LISTEN: 'off',
    OTPMINT_MASTER_KEY: 'passphrase:correct horse battery staple',
  }
  for (const temporary of ['none', 'exec', 'noexec']) {
    rmSync(join(image, 'data'), { recursive: true })
    mkdirSync(join(image, 'data'), { mode: 0o700 })
    chownSync(join(image, 'data'), 65_532, 65_532)
    const story = await inImage({ ...settings, OTPMINT_PORT: `${freePort()}` }, temporary)

    expect(story).toContain('step health exited 0')
    expect(story.includes('step native library')).toBe(temporary === 'exec')
  }
})

/** Runs the image as a container runtime would; returns all output. */
async function inImage(settings: Record<string, string>, temporary = 'none'): Promise<string> {
  const given = instructions('ENV').flatMap((line) => line.split(' '))
  const variables = [...given, ...Object.entries(settings).map((entry) => entry.join('='))]
  const command = (name: string) => JSON.parse(instructions(name)[0] ?? '[]') as string[]
  const [health = ''] = /\[.*\]/.exec(instructions('HEALTHCHECK')[0] ?? '') ?? []
  const entry = command('ENTRYPOINT')

  const script = `
    set -u
    mount --make-rprivate / && mount --bind ${image}/root ${image}/root &&
    mount --bind ${image}/data ${image}/root/data &&
    mount -t proc -o subset=pid,hidepid=invisible proc ${image}/root/proc || exit 1
    case ${temporary} in
      exec) mount -t tmpfs -o mode=1777 tmpfs ${image}/root/tmp;;
      noexec) mount -t tmpfs -o mode=1777,noexec tmpfs ${image}/root/tmp;;
    esac
    mount -o remount,bind,ro ${image}/root || exit 1
    run() {
      exec env -i ${variables.map(quoted).join(' ')} setpriv --no-new-privs \
        /usr/sbin/chroot --userspec=65532:65532 ${image}/root "$@"
    }
    (run ${quotedAll([...entry, 'version'])}); echo "step version exited $?"
    run ${quotedAll([...entry, ...command('CMD')])} & serve=$!
    tries=0
    until (run ${quotedAll(JSON.parse(health))}) >/dev/null 2>&1 || [ $tries -ge 100 ]; do
      kill -0 $serve || break
      tries=$((tries + 1)); sleep 0.1
    done
    (run ${quotedAll(JSON.parse(health))}); echo "step health exited $?"
    echo "step user" $(sed -n 's/^[UG]id:\\t\\([0-9]*\\).*/\\1/p' ${image}/root/proc/$serve/status)
    grep -q "r-xp .*[.]node" ${image}/root/proc/$serve/maps && echo "step native library"
    kill -TERM $serve; wait $serve; echo "step serve exited $?"
    (run ${quotedAll(JSON.parse(health))}); echo "step health afterwards exited $?"`

  const namespace = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script]
  const child = Bun.spawn(namespace, { stdout: 'pipe', stderr: 'pipe' })
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text()])
  return `${out}${errors}`
}

function instructions(name: string): string[] {
  const lines = finalStage.split('\n').filter((line) => line.startsWith(`${name} `))
  return lines.map((line) => line.slice(name.length + 1))
}

function quotedAll(words: string[]): string {
  return words.map(quoted).join(' ')
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
