import { clockPeak, type Ledger } from './ledger.ts'
import type { Machine } from './machine.ts'
import type { Answer, Ask, Question } from './model.ts'
import type { Oracle } from './oracle.ts'

export type Client = {
  /** Sends a request; its answer comes while time passes. */
  ask(machine: Machine, question: Question): Ask
  /** The process has died: what it had not answered it never will. */
  lose(): void
}

/** Sends what actors ask, and shows every question and answer to the oracle. */
export function createClient(
  ledger: Ledger,
  oracle: Oracle,
  observe: {
    asked(ask: Ask): void
    answered(ask: Ask, answer: Answer): void
    failed(error: unknown): void
  },
): Client {
  const { time } = ledger

  function ask(machine: Machine, question: Question): Ask {
    const now = time.clock.now()
    const asked: Ask = {
      ...question,
      number: ledger.asks.length + 1,
      life: machine.life,
      begunAt: ledger.order++,
      begunElapsed: time.elapsed(),
      clockMin: now,
      clockMax: now,
      clockPeak: clockPeak(ledger),
      isTroubled: ledger.isTrouble,
      waitedMs: 0,
      answer: null,
      overElapsed: null,
    }
    ledger.asks.push(asked)
    ledger.open.add(asked)
    oracle.begins(asked)
    observe.asked(asked)
    void send(machine, asked).catch(observe.failed)
    return asked
  }

  async function send(machine: Machine, asked: Ask): Promise<void> {
    const response = await machine.handle(toRequest(asked), asked.from ?? '192.0.2.1')
    const text = await response.text()
    if (machine.life.isOver) return
    const isJson = response.headers.get('content-type')?.includes('json') === true
    const retryAfter = response.headers.get('retry-after')
    const answer: Answer = {
      at: ledger.order++,
      elapsed: time.elapsed(),
      status: response.status,
      text,
      json: isJson ? JSON.parse(text) : null,
      isReplayed: response.headers.get('idempotency-replayed') === 'true',
      calmMs: ledger.calmMs,
      requestId: response.headers.get('x-request-id'),
      retryAfter: retryAfter === null ? null : Number(retryAfter),
    }
    asked.answer = answer
    asked.overElapsed = time.elapsed()
    ledger.open.delete(asked)
    observe.answered(asked, answer)
    oracle.answered(asked, answer)
    asked.onAnswer?.(answer)
  }

  return {
    ask,
    lose() {
      for (const asked of ledger.open) asked.overElapsed = time.elapsed()
      ledger.open.clear()
    },
  }
}

function toRequest({ method, path, body, headers, key, repeatKey }: Ask): Request {
  const text = body === undefined ? undefined : JSON.stringify(body)
  return new Request(`http://otp.example.com${path}`, {
    method,
    headers: {
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...(key && { authorization: `Bearer ${key.text}` }),
      ...(repeatKey && { 'idempotency-key': repeatKey }),
      ...headers,
    },
    ...(text !== undefined && { body: text }),
  })
}
