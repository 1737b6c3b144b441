// A form for codes that an app shows by itself: OTPMINT_KEY=otpm_test_… bun examples/form/server.ts
const { OTPMINT_URL = 'http://127.0.0.1:5000', OTPMINT_KEY = '', PORT = '3000' } = process.env

async function ask(path: string, body: object) {
  const headers = { authorization: `Bearer ${OTPMINT_KEY}`, 'content-type': 'application/json' }
  const url = `${OTPMINT_URL}/v1/verifications${path}`
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return { wait: answer.headers.get('retry-after'), ...(await answer.json()) }
}

// A problem has a code, which never changes its meaning; a wrong code is no problem but an answer.
function errorOf({ valid, attempts_left, status, code, wait }: Awaited<ReturnType<typeof ask>>) {
  if (status === 'exhausted' || code === 'verification_exhausted') return 'Too many wrong codes.'
  if (valid === false) return `This is not the right code. Tries left: ${attempts_left}`
  if (wait !== null) return `Please wait ${wait} seconds.`
  if (code === 'invalid_request') return 'That is too short or too long, or no address.'
  if (code === 'sends_exhausted') return 'The code cannot be sent again.'
  return code === undefined ? '' : 'This code is over. Please begin again.'
}

const escape = (text: string) => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
const button = (action: string, label: string) => `<button name="do" value="${action}">${label}</button>`
const start = `<label>E-mail <input name="to" type="email" autofocus></label> ${button('start', 'Send a code')}`
// `code_format` is crockford for a long code of letters and digits: then no keyboard of digits.
const form = ({ to, code_format }: { to: string; code_format: string }) => `<p>Sent to ${escape(to)}.</p>
  <label>Code <input name="code" autocomplete="one-time-code" maxlength="64" autofocus
    inputmode="${code_format === 'numeric' ? 'numeric' : 'text'}"></label>
  ${button('check', 'Confirm')} ${button('resend', 'Send again')} ${button('leave', 'Another address')}`

// The verification of each browser: its id comes from here, never from a form.
const known = new Map<string, { id: string; status: string; to: string; code_format: string }>()

const server = Bun.serve({ hostname: '127.0.0.1', port: Number(PORT), async fetch(request) {
  const session = /session=([\w-]{36})/.exec(request.headers.get('cookie') ?? '')?.[1] ?? crypto.randomUUID()
  const fields = request.method === 'POST' ? await request.formData() : new FormData()
  const [action, { id } = {}] = [fields.get('do'), known.get(session)]
  if (action === 'leave') known.delete(session)
  const answer = action === 'start' ? await ask('', { to: fields.get('to') })
    : action === 'check' && id ? await ask(`/${id}/check`, { code: fields.get('code') })
    : action === 'resend' && id ? await ask(`/${id}/resend`, {}) : {}
  if (answer.id) known.set(session, answer)
  const now = known.get(session)
  const main = now?.status === 'approved' ? '<p>You are signed in.</p>' : now?.status === 'pending' ? form(now) : start
  const error = action && action !== 'leave' ? errorOf(answer) : ''
  const body = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Sign in</title>
<link rel="icon" href="data:,"><main><h1>Sign in</h1>${error && `<p role="alert">${error}</p>`}<form method="post">${main}</form></main>`
  const cookie = `session=${session}; HttpOnly; SameSite=Lax; Path=/`
  return new Response(body, { headers: { 'content-type': 'text/html; charset=utf-8', 'set-cookie': cookie } })
} })
console.log(`http://127.0.0.1:${server.port}`)
