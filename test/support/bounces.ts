/** Returned mail as mail servers make it (RFC 3464). */

type Returned = {
  /** Of the message that came back. */
  trace: string
  domain?: string
  envid?: string | null
  action?: string
  status?: string
  diagnostic?: string | null
  /** What is returned of the message; null without it. */
  headers?: string | null
}

/** As Postfix writes it: text, status, headers of the message. */
export function returnedMail(options: Returned): string {
  const { trace, domain = 'acme.test', action = 'failed', status = '5.1.1' } = options
  const { envid = trace, diagnostic = `smtp; 550 ${status} <ghost@example.com>: User unknown` } =
    options
  const { headers = `From: codes@${domain}\r\nMessage-ID: <${trace}@${domain}>\r\nSubject: x` } =
    options
  return lines([
    'Return-Path: <>',
    'From: MAILER-DAEMON@mx.example.com (Mail Delivery System)',
    `To: codes@${domain}`,
    'Subject: Undelivered Mail Returned to Sender',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status;',
    '\tboundary="4B1.1/mx.example.com"',
    '',
    '--4B1.1/mx.example.com',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'I could not deliver your message to <ghost@example.com>.',
    '',
    '--4B1.1/mx.example.com',
    'Content-Description: Delivery report',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.example.com',
    ...(envid === null ? [] : [`Original-Envelope-Id: ${envid}`]),
    'Arrival-Date: Mon, 15 Jun 2026 12:00:00 +0000 (UTC)',
    '',
    'Final-Recipient: rfc822; ghost@example.com',
    `Action: ${action}`,
    `Status: ${status}`,
    'Remote-MTA: dns; mail.example.com',
    ...(diagnostic === null ? [] : [`Diagnostic-Code: ${diagnostic}`]),
    '',
    ...(headers === null
      ? []
      : ['--4B1.1/mx.example.com', 'Content-Type: text/rfc822-headers', '', headers, '']),
    '--4B1.1/mx.example.com--',
    '',
  ])
}

export function lines(all: string[]): string {
  return all.join('\r\n')
}
