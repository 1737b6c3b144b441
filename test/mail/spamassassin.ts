import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Verdict } from './rspamd.ts'

/** Judges messages by SpamAssassin's own rules, without network, in one process. */
export async function spamAssassin(mails: string[]): Promise<Verdict[]> {
  const folder = mkdtempSync(join(tmpdir(), 'otpmint-spamassassin-'))
  const mailbox = join(folder, 'mails')
  // It answers in an order of its own, so each mail has its number in a header.
  const lines = mails.map((raw, number) => {
    const mail = `X-Number: ${number}\n${raw.replaceAll('\r\n', '\n')}`
    return `From codes@acme.test Mon Jun 15 12:00:00 2026\n${mail}\n\n`
  })
  writeFileSync(mailbox, lines.join(''), 'latin1')
  const child = Bun.spawn(['spamassassin', '--local', '--test-mode', '--mbox', mailbox], {
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, HOME: folder, LC_ALL: 'C' },
  })
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  await child.exited
  rmSync(folder, { recursive: true })
  const answers = output.split(/^X-Spam-Checker-Version: /m).slice(1)
  const verdicts = new Map(answers.map((text) => [numberOf(text), verdictOf(text)]))
  return mails.map((_, number) => {
    const verdict = verdicts.get(number)
    if (!verdict) throw new Error(`SpamAssassin did not judge mail ${number}: ${errors}`)
    return verdict
  })
}

function numberOf(answer: string): number {
  return Number(/^X-Number: (\d+)/m.exec(answer)?.[1])
}

/** Reads the header, and the table that is added to what counts as spam or is in test mode. */
function verdictOf(answer: string): Verdict {
  const score = Number(/^X-Spam-Status: .*?score=(-?[\d.]+)/m.exec(answer)?.[1])
  const rows = [...answer.matchAll(/^ ?(-?[\d.]+) ([A-Z][A-Z0-9_]+) /gm)]
  const rules = rows.map(([, points, name = '']) => [name, Number(points)] as const)
  return { score, rules: Object.fromEntries(rules.filter(([, points]) => points !== 0)) }
}
