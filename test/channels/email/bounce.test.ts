import { describe, expect, test } from 'bun:test'
import { readBounce } from '../../../src/channels/email/bounce.ts'
import { traceOf } from '../../../src/domain/delivery/trace.ts'
import { lines, returnedMail } from '../../support/bounces.ts'

const trace = traceOf('0Uw3Xa8bQ0pLmZ7aRt3sYw1CvB6nM9')
const read = (text: string) => readBounce(Buffer.from(text, 'latin1'))

describe('a returned mail', () => {
  test('tells its trace, its code and the words of the server, without the address', async () => {
    expect(await read(returnedMail({ trace }))).toEqual({
      ...{ traces: [trace], action: 'failed', cause: 'recipient', code: '550 5.1.1' },
      detail: '550 5.1.1 <<recipient>>: User unknown',
    })
  })

  test('is traced by its envelope or by the headers of the message, whichever it has', async () => {
    const other = traceOf('0Uw3Xa8cAnotherOne')
    const bare = { envid: null, headers: null }
    expect((await read(returnedMail({ trace, headers: null })))?.traces).toEqual([trace])
    expect((await read(returnedMail({ trace, envid: null })))?.traces).toEqual([trace])
    expect((await read(returnedMail({ trace, envid: other })))?.traces).toEqual([other, trace])
    expect((await read(returnedMail({ trace, ...bare })))?.traces).toEqual([])
    const answer = returnedMail({ trace, ...bare })
    expect((await read(`In-Reply-To: <${trace}@acme.test>\r\n${answer}`))?.traces).toEqual([trace])
    const folded = `Subject: x\r\nMessage-ID:\r\n\t<${trace}@acme.test>`
    const unfolded = await read(returnedMail({ trace, envid: null, headers: folded }))
    expect(unfolded?.traces).toEqual([trace])
  })

  test.each([
    ['5.1.1', 'recipient'],
    ['5.1.2', 'recipient'],
    ['5.1.10', 'recipient'],
    ['5.2.1', 'recipient'],
    ['5.2.2', null],
    ['5.2.3', 'message'],
    ['5.1.8', 'policy'],
    ['5.7.1', 'policy'],
    ['5.7.26', 'policy'],
    ['5.6.0', 'message'],
    ['5.4.4', 'server'],
    ['5.0.0', 'server'],
    ['4.4.7', null],
    ['nonsense', 'server'],
  ])('is judged by its status as a reply is: %s', async (status, cause) => {
    const report = await read(returnedMail({ trace, status, diagnostic: null }))
    expect(report?.cause).toBe(cause as never)
  })

  test('is judged by the reply of the server where its own status says nothing', async () => {
    const judged = async (diagnostic: string) => {
      const report = await read(returnedMail({ trace, status: '5.0.0', diagnostic }))
      return [report?.cause, report?.code]
    }
    expect(await judged('smtp; 550 5.1.1 no such user')).toEqual(['recipient', '550 5.1.1'])
    expect(await judged('smtp;550-5.2.1 disabled')).toEqual(['recipient', '550 5.2.1'])
    expect(await judged('smtp; 550 no such user')).toEqual(['server', '550'])
    expect(await judged('X-Postfix; unknown user')).toEqual(['server', '5.0.0'])
  })

  test('of several recipients the one that failed counts, and a success is none', async () => {
    const two = (first: string) =>
      returnedMail({ trace }).replace(
        'Final-Recipient',
        lines([`Action: ${first}`, 'Status: 4.4.1', '', 'Final-Recipient']),
      )
    expect(await read(two('delayed'))).toMatchObject({ action: 'failed', code: '550 5.1.1' })
    expect(await read(two('delivered'))).toMatchObject({ action: 'failed' })
    const delayed = await read(returnedMail({ trace, action: 'Delayed', status: '4.4.1' }))
    expect(delayed).toMatchObject({ action: 'delayed', cause: null })
    for (const action of ['delivered', 'relayed', 'expanded', 'x']) {
      expect(await read(returnedMail({ trace, action }))).toBeNull()
    }
  })

  test('is read in other forms: base64, a whole message, without line ends of mail', async () => {
    const status = lines(['Reporting-MTA: dns; x', '', 'Action: failed', 'Status: 5.1.1', ''])
    const mail = [
      ...['Content-Type: multipart/report; boundary=b', '', '--b'],
      ...['Content-Type: message/delivery-status', 'Content-Transfer-Encoding: base64', ''],
      ...[Buffer.from(status).toString('base64'), '--b', 'Content-Type: message/rfc822', ''],
      ...[`Message-ID: <${trace}@acme.test>`, '', 'Hello', '--b--', ''],
    ]
    const found = { traces: [trace], cause: 'recipient', code: '5.1.1', detail: '5.1.1' }
    expect(await read(lines(mail))).toMatchObject(found)
    expect(await read(mail.join('\n'))).toMatchObject(found)
  })

  test('hides addresses in every form before its words are cut', async () => {
    const far = `${'x'.repeat(180)} ghost.with.a.long.name@example.com`
    const diagnostic = `smtp; 550 5.1.1 <ghost@example.com> see https://x.test/?to=ghost%40example.com ${far}`
    const report = await read(returnedMail({ trace, diagnostic }))
    expect(report?.detail).not.toContain('ghost')
    expect(report?.detail.length).toBeLessThanOrEqual(200)
  })
})

describe('what is no returned mail is nothing', () => {
  test.each([
    ['empty', ''],
    ['no mail', 'hello'],
    ['an ordinary mail', 'Subject: hi\r\n\r\nhello'],
    ['an answer of a person', `In-Reply-To: <${trace}@acme.test>\r\nSubject: Re: x\r\n\r\nthanks`],
    [
      'noise',
      Buffer.from(new Uint8Array(2_000).map((_, i) => (i * 7919) % 256)).toString('latin1'),
    ],
  ])('%s', async (_, text) => {
    expect(await read(text)).toBeNull()
  })
})

describe('a mail that is made to cost much is read to its end, or not at all', () => {
  const size = 256 * 1024
  const nested = (depth: number) => {
    const open = Array.from({ length: depth }, (_, at) => [
      `Content-Type: multipart/mixed; boundary=b${at}`,
      '',
      `--b${at}`,
    ])
    return lines(open.flat())
  }
  const report = 'Content-Type: multipart/report; boundary=b\r\n\r\n'
  const status = '--b\r\nContent-Type: message/delivery-status\r\n\r\n'
  const fill = (piece: string) => piece.repeat(Math.floor(size / piece.length))
  test.each([
    ['deep nesting', nested(2_000)],
    ['many parts', report + fill('--b\r\n\r\nx\r\n')],
    ['many reports', report + fill(status)],
    ['many fields', `${report}${status}${fill('a: b\r\n')}`],
    ['many groups', `${report}${status}${fill('a: b\r\n\r\n')}`],
    ['empty lines', `${report}${status}${fill('\n')}`],
    ['one folded field', `${report}${status}Action: failed\r\nStatus: 5${fill('\r\n 1')}`],
    ['a long header', `Subject: ${fill('x')}`],
    ['many headers', fill('a: b\r\n')],
    ['a long line of words', `${report}${status}Diagnostic-Code: smtp; ${fill('a.')}`],
    ['parentheses', `Content-Type: ${fill('(')}`],
    ['messages in messages', fill('Content-Type: message/rfc822\r\n\r\n')],
    ['encoded words', `Subject: ${fill('=?utf-8?q?x?= ')}`],
  ])('%s', async (_, text) => {
    await readBounce(Buffer.from(text.slice(0, size)))
  })

  test('a report with more parts or lines than one has is not read', async () => {
    const withMore = (more: string, count: number) =>
      read(returnedMail({ trace, headers: `Subject: x\r\n${more.repeat(count)}\r\n` }))
    expect(await withMore('--x\r\n', 100)).not.toBeNull()
    expect(await withMore('--x\r\n', 200)).toBeNull()
    expect(await withMore('x\r\n', 9_000)).not.toBeNull()
    expect(await withMore('x\r\n', 10_000)).toBeNull()
  })
})
