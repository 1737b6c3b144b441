import { useSignal } from '@preact/signals'
import { get, withQuery } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Copyable } from '../../parts/copy.tsx'
import { Field } from '../../parts/field.tsx'
import { FindingText } from '../../parts/finding.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Loaded, Pager, usePages } from '../../parts/loaded.tsx'
import { Notice } from '../../parts/notice.tsx'
import { Card, Empty } from '../../parts/page.tsx'
import { Table } from '../../parts/table.tsx'
import { Time } from '../../parts/time.tsx'
import type { AuditRecord, AuditVerdict } from '../../wire.ts'
import { serverWords } from './words.ts'

/** The audit log, and whether it is as it was written. */
export function Audit() {
  const words = serverWords()
  const pages = usePages<AuditRecord>('/v1/audit')
  return (
    <div class="stack">
      <Verdict />
      <Card title={words.audit}>
        <Loaded from={pages}>
          {({ items }) =>
            items.length === 0 ? <Empty title={words.noAudit} /> : <Records items={items} />
          }
        </Loaded>
      </Card>
      <Pager of={pages} />
    </div>
  )
}

function Verdict() {
  const words = serverWords()
  const sending = useSending()
  const head = useSignal('')
  const verdict = useSignal<AuditVerdict | null>(null)
  const verify = () =>
    sending.send(async () => {
      verdict.value = null
      const path = withQuery('/v1/audit/verdict', { expect_head: head.value.trim() })
      verdict.value = await get<AuditVerdict>(path)
    })
  return (
    <Card title={words.verify}>
      <Form
        sending={sending}
        shows={['expect_head']}
        onSubmit={() => void verify()}
        buttons={
          <Button submit icon="check" busy={sending.busy}>
            {words.verify}
          </Button>
        }
      >
        <p class="hint about">{words.verifyAbout}</p>
        <Field
          label={words.keptHead}
          hint={words.keptHeadHint}
          optional
          value={head.value}
          error={sending.mistake('expect_head')}
          onInput={(text) => {
            head.value = text
          }}
        />
      </Form>
      {verdict.value && (
        <div class="verdict">
          <Said verdict={verdict.value} />
        </div>
      )}
    </Card>
  )
}

function Said({ verdict: { ok, records, head, fault } }: { verdict: AuditVerdict }) {
  const words = serverWords()
  if (!ok) {
    return (
      <Notice tone="bad" role="alert" title={words.broken}>
        <p>{words.brokenAbout(records)}</p>
        <p>
          <FindingText>{fault ?? ''}</FindingText>
        </p>
      </Notice>
    )
  }
  return (
    <Notice tone="good" role="status" title={words.intact(records)}>
      {head && <Copyable label={words.head} text={head} />}
    </Notice>
  )
}

function Records({ items }: { items: AuditRecord[] }) {
  const words = serverWords()
  return (
    <Table
      caption={words.audit}
      rows={items}
      keyOf={({ id }) => String(id)}
      columns={[
        {
          label: words.action,
          isName: true,
          cell: ({ action }) => <code class="action">{action}</code>,
        },
        { label: words.who, cell: nameOf },
        { label: words.object, cell: ({ object }) => <code>{object}</code> },
        { label: words.detail, cell: ({ detail }) => <span lang="en">{detail}</span> },
        { label: words.when, cell: ({ at }) => <Time at={at} /> },
      ]}
    />
  )
}

/** The name of a person, else what changed it: `cli`, `server`, the admin token. */
function nameOf({ who, who_name: name }: AuditRecord): string {
  return name ?? who
}
