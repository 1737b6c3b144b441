import type { Sealed, VerificationStore } from '../../domain/verification/stores.ts'
import type { VerificationKey } from '../../domain/verification/verification.ts'
import { createList } from '../verification-list.ts'
import {
  isThis,
  toVerification,
  type VerificationRow,
  verificationColumns,
} from '../verification-row.ts'
import { createChecks } from './checks.ts'
import { createEndings } from './endings.ts'
import type { AddEvents } from './events.ts'
import type { Moves } from './moves.ts'
import type { Parts } from './parts.ts'
import { firstNumber } from './recipient-number.ts'
import { createStart } from './start.ts'

type Deps = Parts & {
  addEvents: AddEvents
  moves: Moves
}

export function createVerificationStore(deps: Deps): VerificationStore {
  const { database, timers, moves } = deps
  const { cancel, expirePending } = createEndings(deps)

  return {
    start: createStart(deps),
    chargeAttempt: createChecks(deps),
    claimResend: (command) =>
      database.transaction((session) => moves.resend(session, command), 'start'),
    dueFallBacks: (query) => moves.due(query),
    fallBack: (command) =>
      database.transaction((session) => moves.fallBack(session, command), 'start'),
    cancel,
    async get({ appId, mode, id }) {
      const [row] = await database.read<VerificationRow>(
        `select ${verificationColumns} from verifications ${isThis}`,
        { appId, mode, id },
      )
      return row ? toVerification(row) : null
    },
    async findShareable(id) {
      const [key] = await database.read<VerificationKey>(
        `select app_id, mode, id from verifications where id = $id and started_by = 'original'`,
        { id },
      )
      return key ?? null
    },
    list: createList({
      read: (text, values) => database.read(text, values),
      otherWork: () => new Promise<void>((resolve) => timers.soon(resolve)),
    }),
    async sealed({ appId, mode, id, recipient }) {
      const [found] = await database.read<Sealed>(sealed, { appId, mode, id, recipient })
      return found ?? null
    },
    expirePending,
  }
}

const sealed = `
  select recipient_sealed as recipient, variables_sealed as variables
  from verifications ${isThis} and ${firstNumber} = $recipient and recipient_sealed is not null
  union all
  select further.recipient_sealed, variables_sealed
  from verifications join verification_recipients as further on verification_id = id
  ${isThis} and number = $recipient and further.recipient_sealed is not null
  limit 1`
