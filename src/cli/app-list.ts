import type { App } from '../domain/app.ts'
import type { Ports } from '../domain/ports.ts'
import { appJson, mailText } from './app-view.ts'
import { type Command, jsonFlag } from './command.ts'
import { exitCodes } from './io.ts'
import { dataFlag, withPorts } from './open.ts'
import { printJson, printTable, timeText } from './output.ts'

export const appList: Command = {
  name: 'app list',
  summary: 'List the apps.',
  about: 'Lists every app with its mail server. In a pipe: tab-separated, without a heading.',
  operands: [],
  flags: { ...dataFlag, ...jsonFlag },
  examples: ['otpmint app list', 'otpmint app list --json'],
  run: (words, io) =>
    withPorts(words, io, async (ports) => {
      const apps = await allApps(ports)
      if (words.has('json')) {
        const keys = await Promise.all(apps.map((app) => ports.apps.keys(app.id)))
        printJson(
          io,
          apps.map((app, index) => appJson(app, keys[index] ?? [])),
        )
      } else if (apps.length === 0 && io.terminal.output) {
        io.err('There is no app yet: "otpmint app create NAME" makes one.\n')
      } else {
        const rows = apps.map((app) => [app.id, app.name, mailText(app), timeText(app.createdAt)])
        printTable(io, ['ID', 'NAME', 'MAIL SERVER', 'CREATED'], rows)
      }
      return exitCodes.done
    }),
}

export async function allApps({ apps }: Pick<Ports, 'apps'>): Promise<App[]> {
  const all: App[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof apps.list>> = await apps.list({ limit: 100, cursor })
    all.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null)
  return all
}
