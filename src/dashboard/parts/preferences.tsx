import {
  chooseLanguage,
  chooseTheme,
  hasShortcuts,
  language,
  switchShortcuts,
  theme,
} from '../preferences.ts'
import { frameWords } from '../words/frame.ts'
import { Checkbox, Choices } from './field.tsx'
import { Card } from './page.tsx'

/** Language, colours and shortcuts of this browser. */
export function Preferences() {
  const words = frameWords().preferences
  return (
    <Card title={words.title}>
      <div class="stack">
        <Choices
          label={words.language}
          value={language.value}
          options={[
            ['en', 'English'],
            ['de', 'Deutsch'],
          ]}
          onChange={chooseLanguage}
        />
        <Choices
          label={words.theme}
          value={theme.value}
          options={[
            ['auto', words.auto],
            ['light', words.light],
            ['dark', words.dark],
          ]}
          onChange={chooseTheme}
        />
        <Checkbox label={words.shortcuts} checked={hasShortcuts.value} onChange={switchShortcuts} />
      </div>
    </Card>
  )
}
