import type { Database } from 'bun:sqlite'
import type { EventType } from '../../domain/event.ts'
import type { Verification, VerificationKey } from '../../domain/verification/verification.ts'
import {
  type ExpiredRow,
  endedStatus,
  expiredColumns,
  expiredEvent,
  forgotten,
  isPending,
  isThis,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from '../verification-row.ts'
import type { AddEvent } from './events.ts'
import { createApprovals, type HandedOver } from './spending.ts'

type Deps = { database: Database; addEvent: AddEvent }

/** Clears what is not needed any more of verifications that end, and ends their deliveries. */
export function createEndings({ database, addEvent }: Deps) {
  return { end: createEnd(database), expirePending: createExpiry(database, addEvent) }
}

function createEnd(database: Database): (key: VerificationKey) => Verification {
  const forget = database.prepare<VerificationRow & HandedOver, VerificationKey>(`
    update verifications
    set ${forgotten}, delivery_status = ${endedStatus} ${isThis}
    returning ${verificationColumns}, phone_country as "phoneCountry", phone_at as "phoneAt"`)
  const countApproval = createApprovals(database)
  const forgetFurther = database.prepare<null, { id: string }>(`
    update verification_recipients set recipient_sealed = null where verification_id = $id`)
  const endDeliveries = database.prepare<null, { id: string }>(`
    update deliveries set status = 'undeliverable', due_at = null, leased_by = ''
    where verification_id = $id and due_at is not null`)

  return (key) => {
    endDeliveries.run(key)
    const row = forget.get(key)
    if (!row) throw new Error('a verification ended that is not there')
    const verification = toVerification(row)
    if (row.route !== null) forgetFurther.run(key)
    if (row.status === 'approved') countApproval(row)
    return verification
  }
}

type Expire = { now: number; event: EventType }

/** Clears every digest and address, and ends every delivery; how many were pending. */
function createExpiry(database: Database, addEvent: AddEvent): (command: Expire) => number {
  const pending = database.prepare<ExpiredRow, { now: number }>(
    `select ${expiredColumns} from verifications where ${isPending}`,
  )
  const forget = database.prepare<null, []>(`
    update verifications
    set ${forgotten}, delivery_status = ${endedStatus}
    where code_digest is not null`)
  const forgetFurther = database.prepare<null, []>(`
    update verification_recipients set recipient_sealed = null where recipient_sealed is not null`)
  const endDeliveries = database.prepare<null, []>(`
    update deliveries set status = 'undeliverable', due_at = null, leased_by = ''
    where due_at is not null`)

  return ({ now, event }) => {
    let count = 0
    for (const row of pending.iterate({ now })) {
      count++
      addEvent(expiredEvent(row, event, now))
    }
    forget.run()
    forgetFurther.run()
    endDeliveries.run()
    return count
  }
}
