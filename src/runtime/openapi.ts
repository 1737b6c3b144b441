import { loadSettings } from '../config/load.ts'
import { describeServer } from '../http/server.ts'

/** The OpenAPI document of a server with default settings; nothing is started for it. */
export async function openApi(): Promise<unknown> {
  const { developerMode, publicUrl, domain } = loadSettings({})
  return describeServer({ developerMode, publicUrl, ceilings: domain })
}
