import { useSignal } from '@preact/signals'
import { useId } from 'preact/hooks'
import { patch } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Field } from '../../parts/field.tsx'
import { Form, useSending } from '../../parts/form.tsx'
import { Loaded, useLoaded } from '../../parts/loaded.tsx'
import { tell } from '../../parts/notice.tsx'
import { Card } from '../../parts/page.tsx'
import { canChange } from '../../session.ts'
import type { Brand } from '../../wire.ts'
import { frameWords } from '../../words/frame.ts'
import { messageWords } from './message-words.ts'

/** What the messages of an app show of it. */
export function BrandCard({ appId }: { appId: string }) {
  const path = `/v1/apps/${appId}/brand`
  const brand = useLoaded<Brand>(path)
  return (
    <Card title={messageWords().brand.title}>
      <Loaded from={brand}>
        {(value) => <BrandForm path={path} brand={value} onSaved={brand.set} />}
      </Loaded>
    </Card>
  )
}

function BrandForm({
  path,
  brand,
  onSaved,
}: {
  path: string
  brand: Brand
  onSaved(brand: Brand): void
}) {
  const words = messageWords().brand
  const color = useSignal(brand.color ?? '')
  const support = useSignal(brand.support ?? '')
  // Undefined while it stays as it is, null to remove it.
  const logo = useSignal<string | null | undefined>(undefined)
  const sending = useSending()
  const save = () =>
    sending.send(async () => {
      const text = { color: color.value.trim() || null, support: support.value.trim() || null }
      const chosen = logo.value === undefined ? {} : { logo: logo.value }
      onSaved(await patch<Brand>(path, { ...text, ...chosen }))
      logo.value = undefined
      tell(frameWords().saved)
    })
  return (
    <Form
      sending={sending}
      shows={['color', 'support', 'logo']}
      onSubmit={save}
      buttons={
        canChange.value && (
          <Button submit busy={sending.busy}>
            {frameWords().save}
          </Button>
        )
      }
    >
      <div class="fields">
        <Field
          label={words.color}
          hint={words.colorHint}
          value={color.value}
          error={sending.mistake('color')}
          onInput={(text) => {
            color.value = text
          }}
        />
        <Field
          label={words.support}
          hint={words.supportHint}
          value={support.value}
          error={sending.mistake('support')}
          onInput={(text) => {
            support.value = text
          }}
        />
        <LogoField
          brand={brand}
          mistake={sending.mistake('logo')}
          onChoose={(chosen) => {
            logo.value = chosen
          }}
        />
      </div>
    </Form>
  )
}

function LogoField({
  brand: { logo },
  mistake,
  onChoose,
}: {
  brand: Brand
  mistake: string | undefined
  onChoose(base64: string | null): void
}) {
  const words = messageWords().brand
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{words.logo}</label>
      <input
        id={id}
        type="file"
        accept="image/png,image/jpeg"
        disabled={!canChange.value}
        onChange={async ({ currentTarget }) => {
          const file = currentTarget.files?.[0]
          if (file) onChoose(await base64Of(file))
        }}
      />
      {mistake && <p class="mistake">{mistake}</p>}
      <p class="hint">{logo ? words.has(logo.width ?? 0, logo.height ?? 0) : words.logoHint} </p>
      {logo && canChange.value && (
        <Button look="quiet" onClick={() => onChoose(null)}>
          {words.removeLogo}
        </Button>
      )}
    </div>
  )
}

async function base64Of(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}
