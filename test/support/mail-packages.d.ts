// Types of the parts that the tests use of two packages without types.

declare module 'smtp-server' {
  import type { AddressInfo } from 'node:net'
  import type { Readable } from 'node:stream'

  export type Session = {
    secure: boolean
    user?: string
    envelope: { mailFrom: { address: string } | false; rcptTo: { address: string }[] }
  }
  export type Options = {
    secure?: boolean
    key?: string
    cert?: string
    authOptional?: boolean
    allowInsecureAuth?: boolean
    hideSTARTTLS?: boolean
    disableReverseLookup?: boolean
    logger?: boolean
    closeTimeout?: number
    disabledCommands?: string[]
    onAuth?(
      auth: { username: string; password: string },
      session: Session,
      done: (error: Error | null, response?: { user: string }) => void,
    ): void
    onData?(stream: Readable, session: Session, done: (error?: Error | null) => void): void
  }
  export class SMTPServer {
    constructor(options: Options)
    server: { address(): AddressInfo }
    listen(port: number, host: string, done: () => void): void
    close(done: () => void): void
    on(event: 'error', listener: (error: Error) => void): void
  }
}

declare module 'mailparser' {
  type Addresses = { value: { name: string; address: string }[]; text: string }
  export type Attachment = { contentType: string; cid: string; related: boolean; content: Buffer }
  export type ParsedMail = {
    subject: string
    text: string
    html: string
    from: Addresses
    to: Addresses
    date: Date
    messageId: string
    references?: string
    headers: Map<string, unknown>
    headerLines: { key: string; line: string }[]
    attachments: Attachment[]
  }
  export function simpleParser(raw: string | Uint8Array): Promise<ParsedMail>
}
