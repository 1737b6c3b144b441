import type { Database } from 'bun:sqlite'
import type { AttemptCommand, ResendCommand, VerificationStore } from '../../domain/stores.ts'
import type { Verification } from '../../domain/verification.ts'
import type { AppReader } from './apps.ts'
import type { Writer } from './group-commit.ts'
import type { Journal } from './journal.ts'
import type { Limits } from './limits.ts'
import { createListing } from './listing.ts'
import { toVerification } from './rows.ts'
import { createStart, queueDelivery } from './start.ts'
import { prepareVerifications, type VerificationStatements } from './verification-statements.ts'

type Parts = {
  database: Database
  writer: Writer
  limits: Limits
  journal: Journal
  apps: AppReader
}

export function createVerificationStore(parts: Parts): VerificationStore {
  const { database, writer, apps } = parts
  const statements = prepareVerifications(database)
  const listing = createListing(database)
  const start = createStart({ ...parts, statements })
  const operations = createOperations(parts, statements)

  return {
    start: (command) => writer.write((undo) => start(command, undo)),
    chargeAttempt: (command) => writer.write(() => operations.charge(command)),
    claimResend: (command) => writer.write(() => operations.resend(command)),
    cancel: (command) => writer.write(() => operations.cancel(command)),
    keepAnswer: async ({ key, answer }) => {
      await writer.write(() => statements.keepAnswer.run({ key, answer }))
    },
    get: async (appId, id) => {
      const row = statements.get.get({ appId, id })
      return row ? toVerification(row) : null
    },
    findApp: async (id) => {
      const row = statements.appOf.get({ id })
      return row ? apps.get(row.app_id) : null
    },
    sealedRecipient: async (appId, id) =>
      statements.sealed.get({ appId, id })?.recipient_sealed ?? null,
    list: async (query) => listing.list(query),
  }
}

function createOperations({ journal }: Pick<Parts, 'journal'>, statements: VerificationStatements) {
  function charge({ digests, now, ...attempt }: AttemptCommand): Verification | null {
    const [digest, older] = [digests[0] ?? null, digests[1] ?? null]
    const row = statements.charge.get({ ...attempt, digest, older, now })
    if (!row) return null

    const { app_id: appId, id: verificationId } = row
    const valid = row.status === 'approved'
    const exhausted = !valid && row.attempts_spent >= row.attempts_max
    if (valid || exhausted) {
      const type = valid ? 'verification.approved' : 'verification.exhausted'
      const data = { attempts_spent: row.attempts_spent }
      journal.event({ at: now, appId, type, verificationId, data })
    }
    journal.count(appId, 'checks', now)
    journal.count(appId, valid ? 'approvals' : 'failures', now)
    return toVerification(row)
  }

  function resend({ delivery, ...command }: ResendCommand): { verification: Verification } | null {
    const row = statements.resend.get({ ...command, deliveryId: delivery.id })
    if (!row) return null
    const verification = toVerification(row)
    queueDelivery(statements, verification, delivery, command.now)
    journal.count(command.appId, 'resends', command.now)
    return { verification }
  }

  function cancel(command: { appId: string; id: string; now: number }): Verification | null {
    const row = statements.cancel.get(command)
    if (!row) return null
    const { appId, id: verificationId, now } = command
    journal.event({ at: now, appId, type: 'verification.canceled', verificationId, data: {} })
    journal.count(appId, 'cancels', now)
    return toVerification(row)
  }

  return { charge, resend, cancel }
}
