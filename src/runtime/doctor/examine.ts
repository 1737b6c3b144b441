import type { Settings } from '../../config/load.ts'
import type { App } from '../../domain/app/app.ts'
import { allApps, findApp } from '../../domain/app/manage.ts'
import type { Finding } from '../../domain/server.ts'
import type { Recipient } from '../../domain/verification/recipient.ts'
import type { OpenPorts } from '../open.ts'
import { checkEndpoints, checkPhoneRules } from './endpoints.ts'
import { checkDataDirectory, checkDisk, checkFiles } from './files.ts'
import { checkAlarms, checkKey } from './installation.ts'
import { checkDns, checkMailServers } from './mail.ts'
import { checkPostgres } from './postgres.ts'
import { checkCodeLife, checkGuessBound, checkLockOut } from './rules.ts'
import { checkWebhooks } from './webhooks.ts'

type Installation = { ports: OpenPorts; settings: Settings }

type Scope = Installation & {
  /** Only this app's endpoints, and also its DNS and webhooks; null for the endpoints of all. */
  appId: string | null
  /** Gets a test mail from each mail server; null sends none. */
  recipient: Recipient | null
}

/** Checks everything: reads the whole database, and connects to every endpoint. */
export async function examineAll({ ports, settings, appId, recipient }: Scope): Promise<Finding[]> {
  const { database } = settings
  const all = await allApps(ports)
  const chosen = appId === null ? all : [await findApp(ports, appId)]
  return [
    checkKey(ports),
    ...(database ? await checkPostgres(ports, database) : await checkFiles(ports, settings)),
    ...(await checkAlarms(ports)),
    ...checkRules(settings, all),
    ...(await checkMailServers(ports, chosen, recipient)),
    ...(await checkEndpoints(ports, chosen)),
    ...checkPhoneRules(settings.domain, chosen),
    ...(appId === null ? [] : await checkDns(ports, chosen)),
    ...(appId === null ? [] : await checkWebhooks(ports, chosen)),
  ]
}

/** What can be said at once, without a connection and without reading the whole database. */
export async function examineQuickly({ ports, settings }: Installation): Promise<Finding[]> {
  const apps = await allApps(ports)
  const { dataDir, database } = settings
  return [
    checkKey(ports),
    ...(database ? [] : [...checkDataDirectory(dataDir), checkDisk(dataDir)]),
    ...(await checkAlarms(ports)),
    ...checkRules(settings, apps),
    ...checkPhoneRules(settings.domain, apps),
  ]
}

function checkRules({ domain }: Settings, apps: App[]): Finding[] {
  return [
    ...checkCodeLife(domain, apps),
    ...checkGuessBound(domain, apps),
    ...checkLockOut(domain, apps),
  ]
}
