import { findingText } from '../words/problems.ts'

/** What the server found out: in the reader's language where the dashboard knows it, else in English. */
export function FindingText({ children }: { children: string }) {
  const { text, lang } = findingText(children)
  return <span lang={lang}>{text}</span>
}
