import { Copyable } from '../../parts/copy.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { FindingText } from '../../parts/finding.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { Notice, type Tone } from '../../parts/notice.tsx'
import type { DnsFinding } from '../../wire.ts'
import { appWords } from './app-words.ts'

const tones: Record<DnsFinding['status'], Tone> = { ok: 'good', warning: 'warn', failed: 'bad' }

/** What the DNS says about the From domains of the app, and what to put into it. */
export function DnsDialog({ appId, onClose }: { appId: string; onClose(): void }) {
  const words = appWords().endpoints
  const findings = useLoaded<{ items: DnsFinding[] }>(`/v1/apps/${appId}/dns`)
  return (
    <Dialog title={words.dnsTitle} onClose={onClose} wide>
      <Loaded from={findings}>
        {({ items }) => (
          <div class="stack">
            {items.length === 0 && <p>{words.dnsNone}</p>}
            {items.map(({ domain, check, status, detail, next, record }) => (
              <Notice
                key={`${domain}-${check}`}
                tone={tones[status]}
                title={`${check.toUpperCase()} · ${domain}`}
              >
                <p>
                  <FindingText>{detail}</FindingText>
                </p>
                {next && (
                  <p>
                    <FindingText>{next}</FindingText>
                  </p>
                )}
                {record && (
                  <Copyable
                    label={`${words.put}: ${record.type} ${record.name}`}
                    text={record.value}
                  />
                )}
              </Notice>
            ))}
          </div>
        )}
      </Loaded>
    </Dialog>
  )
}
