import type { Problem } from '../../domain/problem.ts'
import type { Reply } from '../core/api.ts'
import { problemStatuses } from '../core/problems.ts'
import away from '../pages/away.html.txt' with { type: 'text' }

/** The page for a browser that reaches the dashboard at a place where it must not ask for passwords. */
export function awayPage({ code, message }: Problem): Reply {
  const body = away.replace('{{advice}}', message)
  return { status: problemStatuses[code], type: 'text/html; charset=utf-8', body }
}
