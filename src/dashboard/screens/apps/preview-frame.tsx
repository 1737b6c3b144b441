import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { asRefusal, post, type Refusal } from '../../api.ts'
import { Choices, Field } from '../../parts/field.tsx'
import { FindingText } from '../../parts/finding.tsx'
import { HtmlFrame } from '../../parts/html-frame.tsx'
import { Notice, Problem } from '../../parts/notice.tsx'
import { Card } from '../../parts/page.tsx'
import { after } from '../../system.ts'
import type { Parts } from './editor.tsx'
import { messageWords } from './message-words.ts'

type Shown = { language: string; subject: string; text: string; html: string; advice: string[] }

const typingMs = 400

/** The draft as a person would get it: the server fills it in, a frame without rights shows it. */
export function Preview({ path, draft }: { path: string; draft: Parts }) {
  const words = messageWords()
  const shown = useSignal<Shown | null>(null)
  const refusal = useSignal<Refusal | null>(null)
  const form = useSignal<'html' | 'text'>('html')
  const values = useSignal<Record<string, string>>({})
  const names = draft.variables.filter((name) => /^[a-z_]{1,32}$/.test(name))
  useEffect(() => {
    let isWanted = true
    const cancel = after(typingMs, async () => {
      const filled = Object.entries(values.value).filter(([name]) => names.includes(name))
      const body = { ...draft, variables: names, values: Object.fromEntries(filled) }
      const answer = await post<Shown>(`${path}/preview`, body).catch(asRefusal)
      if (!isWanted) return
      refusal.value = answer instanceof Error ? answer : null
      if (!(answer instanceof Error)) shown.value = answer
    })
    return () => {
      isWanted = false
      cancel()
    }
  }, [path, draft, values.value])
  return (
    <Card title={words.preview}>
      <div class="stack">
        {names.length > 0 && (
          <fieldset class="group">
            <legend>{words.values}</legend>
            <div class="fields">
              {names.map((name) => (
                <Field
                  key={name}
                  label={name}
                  value={values.value[name] ?? ''}
                  onInput={(text) => {
                    values.value = { ...values.value, [name]: text }
                  }}
                />
              ))}
            </div>
          </fieldset>
        )}
        <Choices
          label={words.shownAs}
          value={form.value}
          options={[
            ['html', words.asHtml],
            ['text', words.asText],
          ]}
          onChange={(chosen) => {
            form.value = chosen
          }}
        />
        {refusal.value && <Problem refusal={refusal.value} />}
        {shown.value && <Message shown={shown.value} form={form.value} />}
      </div>
    </Card>
  )
}

function Message({ shown, form }: { shown: Shown; form: 'html' | 'text' }) {
  const words = messageWords()
  const { language, subject, text, html, advice } = shown
  return (
    <>
      <p class="mail-subject" lang={language}>
        {subject}
      </p>
      {form === 'html' ? (
        <HtmlFrame title={words.previewOf(subject)} html={html} />
      ) : (
        <pre class="mail-text" lang={language}>
          {text}
        </pre>
      )}
      {advice.length > 0 && (
        <Notice tone="info" title={words.hints}>
          <ul>
            {advice.map((each) => (
              <li key={each}>
                <FindingText>{each}</FindingText>
              </li>
            ))}
          </ul>
        </Notice>
      )}
    </>
  )
}
