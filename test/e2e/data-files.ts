import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The files that contain secrets by design. */
const keyFiles = /^(master\.key|admin\.token)/
const sockets = /\.sock$/

/** The files of a data directory that may contain no secret. */
export function filesOf(dataDir: string): [name: string, content: Uint8Array][] {
  const names = readdirSync(dataDir).filter((name) => {
    return !keyFiles.test(name) && !sockets.test(name)
  })
  return names.map((name) => [name, readFileSync(join(dataDir, name))])
}
