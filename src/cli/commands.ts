import { appCreate } from './app-create.ts'
import { appDelete } from './app-delete.ts'
import { appNewKey, appRevokeKey } from './app-keys.ts'
import { appList } from './app-list.ts'
import { appShow } from './app-show.ts'
import { appUpdate } from './app-update.ts'
import { auditVerify } from './audit-verify.ts'
import { backup } from './backup.ts'
import type { Command } from './command.ts'
import { doctor } from './doctor.ts'
import { healthcheck } from './healthcheck.ts'
import { createHelp } from './help.ts'
import { keyGenerate } from './key-generate.ts'
import { keyRotate } from './key-rotate.ts'
import { openapi } from './openapi.ts'
import { restoreCommand } from './restore.ts'
import { serve } from './serve.ts'
import { versionCommand } from './version.ts'

/** Every command, in the order of the help page. */
export const commands: Command[] = [
  serve,
  appCreate,
  appList,
  appShow,
  appUpdate,
  appDelete,
  appNewKey,
  appRevokeKey,
  keyGenerate,
  keyRotate,
  backup,
  restoreCommand,
  doctor,
  healthcheck,
  auditVerify,
  openapi,
  versionCommand,
  createHelp(() => commands),
]
