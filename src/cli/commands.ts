import { accountList, accountRemove } from './account.ts'
import { appCreate, appDelete, appList, appShow, appUpdate } from './app.ts'
import { appNewKey, appRevokeKey } from './app-key.ts'
import { auditVerify } from './audit.ts'
import { backup, restoreCommand } from './backup.ts'
import { bounce } from './bounce.ts'
import { brandShow, brandUpdate } from './brand.ts'
import type { Command } from './command.ts'
import { dashboardLink } from './dashboard.ts'
import { dkimAdd, dkimCheck, dkimList, dkimRemove } from './dkim.ts'
import { doctor } from './doctor.ts'
import {
  endpointAdd,
  endpointList,
  endpointOrder,
  endpointRemove,
  endpointUpdate,
} from './endpoint.ts'
import { endpointRotate } from './endpoint-rotate.ts'
import { endpointTest } from './endpoint-test.ts'
import { eventsCommand } from './event.ts'
import { healthcheck } from './healthcheck.ts'
import { createHelp } from './help.ts'
import { keyGenerate, keyRotate } from './key.ts'
import { migrateCommand } from './migrate.ts'
import { moveCommand } from './move.ts'
import { openapi } from './openapi.ts'
import { serve } from './serve.ts'
import { statsCommand } from './stats.ts'
import { suppressionList, suppressionRemove } from './suppression.ts'
import { telegramList, telegramRemove } from './telegram.ts'
import { templateList, templatePreview, templateReset, templateShow } from './template.ts'
import { templateEdit } from './template-edit.ts'
import { verificationsCommand } from './verification.ts'
import { verificationShow } from './verification-show.ts'
import { versionCommand } from './version.ts'
import {
  webhookAdd,
  webhookList,
  webhookRemove,
  webhookRotate,
  webhookTest,
  webhookUpdate,
} from './webhook.ts'
import { webhookMessages, webhookReplay } from './webhook-messages.ts'

/** Every command, in the order of the help page. */
export const commands: Command[] = [
  serve,
  dashboardLink,
  accountList,
  accountRemove,
  appCreate,
  appList,
  appShow,
  appUpdate,
  appDelete,
  appNewKey,
  appRevokeKey,
  endpointAdd,
  endpointList,
  endpointUpdate,
  endpointOrder,
  endpointTest,
  endpointRotate,
  endpointRemove,
  dkimAdd,
  dkimList,
  dkimCheck,
  dkimRemove,
  webhookAdd,
  webhookList,
  webhookUpdate,
  webhookTest,
  webhookRotate,
  webhookMessages,
  webhookReplay,
  webhookRemove,
  suppressionList,
  suppressionRemove,
  telegramList,
  telegramRemove,
  bounce,
  brandShow,
  brandUpdate,
  templateList,
  templateShow,
  templateEdit,
  templatePreview,
  templateReset,
  verificationsCommand,
  verificationShow,
  eventsCommand,
  statsCommand,
  keyGenerate,
  keyRotate,
  migrateCommand,
  moveCommand,
  backup,
  restoreCommand,
  doctor,
  healthcheck,
  auditVerify,
  openapi,
  versionCommand,
  createHelp(() => commands),
]
