import { dnsServer, type Zone } from '../support/dns.ts'

// A name server for another network namespace: `name-server.ts ADDRESS PORT`. Each line of standard
// input is a zone as JSON, which replaces the one before.

const zone: Zone = {}
const [address = '', port = ''] = process.argv.slice(2)
await dnsServer(zone, { address, port: Number(port) })
process.stdout.write('ready\n')
for await (const line of console) {
  for (const key of Object.keys(zone)) delete zone[key]
  Object.assign(zone, JSON.parse(line))
  process.stdout.write('changed\n')
}
