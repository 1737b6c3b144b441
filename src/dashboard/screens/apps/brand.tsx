import { useSignal } from '@preact/signals'
import { patch } from '../../api.ts'
import { Button } from '../../parts/button.tsx'
import { Field, FileField } from '../../parts/field.tsx'
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
          logo={brand.logo}
          chosen={logo.value}
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
  logo,
  chosen,
  mistake,
  onChoose,
}: {
  logo: Brand['logo']
  chosen: string | null | undefined
  mistake: string | undefined
  onChoose(base64: string | null | undefined): void
}) {
  const words = messageWords().brand
  const { width, height } = logo ?? {}
  const hint = width && height ? words.has(width, height) : words.logoHint
  return (
    <div>
      <FileField
        label={words.logo}
        hint={chosen === null ? words.removing : hint}
        error={mistake}
        accept="image/png,image/jpeg"
        disabled={!canChange.value}
        onChoose={async (file) => onChoose(file && (await base64Of(file)))}
      />
      {logo && canChange.value && (
        <Button look="quiet" onClick={() => onChoose(null)}>
          {words.removeLogo}
        </Button>
      )}
    </div>
  )
}

/** More than any logo may have: the server says so of what is cut here. */
const bytesMax = 64_000

async function base64Of(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.slice(0, bytesMax).arrayBuffer())
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}
