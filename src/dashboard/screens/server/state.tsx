import { useSignal } from '@preact/signals'
import { post } from '../../api.ts'
import { bytes } from '../../format.ts'
import { Button } from '../../parts/button.tsx'
import { FindingText } from '../../parts/finding.tsx'
import { Mistakes, useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Problem, tell } from '../../parts/notice.tsx'
import { Badge, Card, Facts } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import type { Finding, Server } from '../../wire.ts'
import { serverWords } from './words.ts'

/** What the server is, and what is wrong with it. */
export function State() {
  const loaded = useLoaded<Server>('/v1/server')
  return (
    <Loaded from={loaded}>
      {(server) => (
        <div class="stack">
          <Card>
            <Facts of={factsOf(server)} />
          </Card>
          <Findings known={server.findings} />
          {server.nodes.length > 1 && <Nodes of={server} />}
        </div>
      )}
    </Loaded>
  )
}

const databases = { sqlite: 'SQLite', postgres: 'PostgreSQL' }

function factsOf({ version, url, started_at, database, disk }: Server) {
  const words = serverWords()
  return [
    [words.version, version],
    [words.address, url],
    [words.running, <Time at={started_at} key="since" />],
    [words.database, databases[database.kind]],
    ...(database.bytes === null ? [] : [[words.size, bytes(database.bytes)] as const]),
    ...(disk
      ? [[words.disk, words.free(bytes(disk.free_bytes), bytes(disk.total_bytes))] as const]
      : []),
  ] as const
}

function Findings({ known }: { known: Finding[] }) {
  const words = serverWords()
  const sending = useSending()
  const examined = useSignal<Finding[] | null>(null)
  const examine = () =>
    sending.send(async () => {
      examined.value = (await post<{ items: Finding[] }>('/v1/server/examine')).items
      tell(words.examined)
    })
  const button = (
    <Button busy={sending.busy} icon="check" onClick={() => void examine()}>
      {words.examine}
    </Button>
  )
  return (
    <Card title={words.findings} actions={button}>
      {examined.value === null && <p class="hint">{words.findingsHint}</p>}
      {sending.refusal && (
        <Problem refusal={sending.refusal}>
          <Mistakes of={sending.refusal} />
        </Problem>
      )}
      <ul class="findings">
        {worstFirst(examined.value ?? known).map(({ check, status, detail, next }, at) => (
          <li key={`${at}-${check}`}>
            <Badge tone={tones[status]}>{words.states[status]}</Badge>
            <div>
              <strong>
                <FindingText>{check}</FindingText>
              </strong>
              <p>
                <FindingText>{detail}</FindingText>
              </p>
              {next && (
                <p class="next">
                  → <FindingText>{next}</FindingText>
                </p>
              )}
            </div>
          </li>
        ))}
      </ul>
    </Card>
  )
}

const tones = { ok: 'good', warning: 'warn', failed: 'bad' } as const
const order = ['failed', 'warning', 'ok']

function worstFirst(findings: Finding[]): Finding[] {
  return findings.toSorted((a, b) => order.indexOf(a.status) - order.indexOf(b.status))
}

function Nodes({ of: { nodes, node } }: { of: Server }) {
  const words = serverWords()
  return (
    <Card title={words.nodes}>
      <Table
        caption={words.nodes}
        rows={nodes}
        keyOf={({ id }) => id}
        columns={[
          {
            label: words.node,
            isName: true,
            cell: ({ id }) => (
              <>
                <code>{id}</code> {id === node && <Badge>{words.thisNode}</Badge>}
              </>
            ),
          },
          { label: words.seen, cell: ({ seen_at }) => <Time at={seen_at} ago /> },
        ]}
      />
    </Card>
  )
}
