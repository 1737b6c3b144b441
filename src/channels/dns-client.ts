import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { connect, isIPv6 } from 'node:net'
import type { Timers } from '../domain/ports.ts'
import {
  type DnsRecords,
  isAnswerTo,
  isCut,
  type Question,
  questionOf,
  type RecordType,
  recordsOf,
} from './dns-message.ts'

/** A name server: `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`. */
type Place = { address: string; port: number }

export type DnsClient = <Type extends RecordType>(
  type: Type,
  name: string,
) => Promise<DnsRecords[Type][] | null>

type Options = {
  timers: Timers
  /** Name servers as `address:port`; by default those of the system. */
  servers?: string[] | undefined
  /** The longest time of a question with its repetitions. */
  maxMs?: number
}

const questionMaxMs = 5_000
const tryMs = 2_000
const triesMax = 2

/**
 * Asks name servers in turn, as the C library does; empty when a name has no such record, null when
 * no server answers in time. Our own because the runtime's takes a whole core while a name server
 * refuses, and gives every string of a TXT record as a record. Neither /etc/hosts nor the search
 * list of resolv.conf is read.
 */
export function createDnsClient({ timers, servers, maxMs = questionMaxMs }: Options): DnsClient {
  return (type, name) =>
    new Promise((done) => {
      const over = new AbortController()
      const cancelLate = timers.after(maxMs, () => {
        over.abort()
        done(null)
      })
      const places = (servers ?? systemServers()).map(placeOf)
      ask(type, name, { places, timers, over: over.signal })
        .catch(() => null)
        .then(done)
        .finally(cancelLate)
    })
}

type Network = { places: Place[]; timers: Timers; over: AbortSignal }

async function ask<Type extends RecordType>(
  type: Type,
  name: string,
  { places, timers, over }: Network,
): Promise<DnsRecords[Type][] | null> {
  for (let tries = 0; tries < triesMax; tries++) {
    for (const place of places) {
      for (const isPlain of [false, true]) {
        const question = questionOf(type, name, { isPlain })
        if (question === null) return []
        if (over.aborted) return null
        const short = await overUdp(question, place, timers)
        const answer = short && isCut(short) ? await overTcp(question, place, timers) : short
        const records = answer && recordsOf(answer, question)
        if (records === 'ask_plainly') continue
        if (records) return records
        break
      }
    }
  }
  return null
}

/** The name servers of /etc/resolv.conf, as they are now. */
function systemServers(): string[] {
  let text = ''
  try {
    text = readFileSync('/etc/resolv.conf', 'utf8')
  } catch {
    // As without any: see resolv.conf(5).
  }
  const found = [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map(
    ([, server = '']) => server,
  )
  return found.length === 0 ? ['127.0.0.1'] : found.slice(0, 3)
}

function placeOf(server: string): Place {
  const [, inner, port] = /^\[(.*)\](?::(\d+))?$/.exec(server) ?? []
  if (inner !== undefined) return { address: inner, port: Number(port ?? 53) }
  if (isIPv6(server)) return { address: server, port: 53 }
  const [address = '', plainPort] = server.split(':')
  return { address, port: Number(plainPort ?? 53) }
}

/** Null without an answer. A connected socket takes packets of this server only. */
function overUdp(question: Question, place: Place, timers: Timers): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(place.address) ? 'udp6' : 'udp4')
    let isOver = false
    const end = (answer: Buffer | null) => {
      if (isOver) return
      isOver = true
      cancelLate()
      socket.close()
      resolve(answer)
    }
    const cancelLate = timers.after(tryMs, () => end(null))
    // Also where the server's port is closed.
    socket.on('error', () => end(null))
    socket.on('message', (message: Buffer) => {
      if (isAnswerTo(message, question)) end(message)
    })
    socket.connect(place.port, place.address, () => {
      if (!isOver) socket.send(question.bytes)
    })
  })
}

function overTcp(question: Question, place: Place, timers: Timers): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: place.address, port: place.port })
    let received = Buffer.alloc(0)
    const end = (answer: Buffer | null) => {
      cancelLate()
      socket.destroy()
      resolve(answer)
    }
    const cancelLate = timers.after(tryMs, () => end(null))
    socket.on('error', () => end(null))
    socket.on('close', () => end(null))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const answer = received.subarray(2, 2 + received.readUInt16BE(0))
      end(isAnswerTo(answer, question) ? answer : null)
    })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(question.bytes.length)
    socket.write(Buffer.concat([length, question.bytes]))
  })
}
