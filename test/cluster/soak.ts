import { parseArgs } from 'node:util'
import { random } from '../e2e/kill-load.ts'
import { killAll, scratch } from '../support/executable.ts'
import { campaign, killOfNode, killOfPrimary, lossOfPrimary, stopOfNode } from './campaign.ts'
import { startReplicatedNodes } from './replicated.ts'

// Kills and freezes nodes and primaries under load, --faults of them, and prints what was counted.
// Ends with 1 when a promise was broken.
const { values } = parseArgs({ options: { faults: { type: 'string', default: '200' } } })

const { folder, remove } = scratch()
const { nodes, cluster, stop } = await startReplicatedNodes(folder)
const faults = Array.from({ length: Number(values.faults) }, () => {
  const choice = random(10)
  if (choice < 4) return killOfNode(nodes)
  if (choice < 6) return stopOfNode(nodes, [1000, 3000, 18_000][random(3)] ?? 1000)
  return choice < 8 ? killOfPrimary(cluster) : lossOfPrimary(cluster)
})
try {
  process.stdout.write(`${JSON.stringify(await campaign(nodes, faults), null, 2)}\n`)
} catch (error) {
  process.stderr.write(`${error}\n`)
  process.exitCode = 1
}
await stop()
await killAll()
remove()
process.exit()
