import { connect, createServer, type Socket } from 'node:net'

// Passes connections on: `bridge.ts FROM TO`, each `tcp ADDRESS PORT` or `unix PATH`. A program of
// its own, because one end lies in another network namespace.

type Place = { path: string } | { host: string; port: number }

function placeOf([kind = '', where = '', port = '']: string[]): Place {
  return kind === 'unix' ? { path: where } : { host: where, port: Number(port) }
}

const words = process.argv.slice(2)
const split = words[0] === 'unix' ? 2 : 3
const [from, to] = [placeOf(words.slice(0, split)), placeOf(words.slice(split))]

const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ ...to, allowHalfOpen: true })
  pass(near, far)
  pass(far, near)
})
server.listen(from, () => process.stdout.write('ready\n'))

function pass(here: Socket, there: Socket): void {
  here.pipe(there)
  here.on('error', () => there.destroy())
  here.on('close', (isBroken) => isBroken && there.destroy())
}
