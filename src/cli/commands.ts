import type { Command } from './command.ts'
import { createHelp } from './help.ts'
import { versionCommand } from './version.ts'

/** Every command, in the order of the help page. */
export const commands: Command[] = [versionCommand, createHelp(() => commands)]
