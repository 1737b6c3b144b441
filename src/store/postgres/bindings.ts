import type { Binding } from '../../domain/telegram/binding.ts'
import type { AskCommand, BindingStore, NewBinding } from '../../domain/telegram/store.ts'
import { toPage } from '../page.ts'
import { lockApp } from './api-keys.ts'
import type { AuditChain } from './audit.ts'
import type { Session } from './lanes.ts'
import type { Parts } from './parts.ts'

const columns = 'id, app_id, mode, bot, status, name, chat_sealed, created_at, expires_at'
const ofKey = 'id = $id and app_id = $appId and mode = $mode'

type Deps = Pick<Parts, 'database'> & { audit: AuditChain }

export function createBindingStore({ database, audit }: Deps): BindingStore {
  return {
    ...createReads(database),
    add: (command) => database.transaction((session) => add(session, command), 'start'),
    ask: (command) => database.transaction((session) => ask(session, command)),
    answer: async (command) => (await database.write<Binding>(answer, command))[0] ?? null,
    confirm: async (command) => (await database.write<Binding>(confirm, command))[0] ?? null,
    remove: async (key) => (await database.run(`delete from bindings where ${ofKey}`, key)) > 0,
    removeAudited: (command, append) =>
      database.transaction(async (session) => {
        if (!(await audit.isNext(session, append))) return 'head_moved'
        const removed = await session.run(
          'delete from bindings where id = $id and app_id = $appId',
          command,
        )
        if (removed > 0) await audit.append(session, append)
        return removed > 0
      }),
    leave: (command) =>
      database.run(
        'delete from bindings where app_id = $appId and chat_index = $chatIndex and bot = $bot',
        command,
      ),
    async reseal(renewals) {
      const sorted = renewals.toSorted((a, b) => (a.id < b.id ? -1 : 1))
      await database.transaction(async (session) => {
        for (const renewal of sorted) await session.run(renewal.to ? reseal : drop, renewal)
      })
    },
    async setNextUpdate(command) {
      await database.run(
        `insert into bots (app_id, bot, next_update, at) values ($appId, $bot, $id, $at)
        on conflict (app_id, bot) do update set next_update = excluded.next_update,
          at = excluded.at`,
        command,
      )
    },
  }
}

type Reads = Pick<BindingStore, 'get' | 'findByLink' | 'list' | 'sealedOtherwise' | 'nextUpdate'>

function createReads(database: Parts['database']): Reads {
  return {
    async get({ appId, mode, id }) {
      const rows = await database.read<Binding>(`select ${columns} from bindings where ${ofKey}`, {
        ...{ appId, mode, id },
      })
      return rows[0] ?? null
    },
    async findByLink(query) {
      const rows = await database.read<Binding>(
        `select ${columns} from bindings
        where link_hash = $linkHash and app_id = $appId and bot = $bot`,
        query,
      )
      return rows[0] ?? null
    },
    async list({ appId, limit, cursor }) {
      const rows = await database.read<Binding>(
        `select ${columns} from bindings where app_id = $appId and id < $before
        order by id desc limit $limit`,
        { appId, before: cursor ?? '~', limit: limit + 1 },
      )
      return toPage(rows, limit)
    },
    sealedOtherwise: (keyId, limit) =>
      database.read(`select ${columns} from bindings where key_id <> $keyId limit $limit`, {
        ...{ keyId, limit },
      }),
    async nextUpdate(bot) {
      const [row] = await database.read<{ id: number; at: number }>(
        'select next_update as id, at from bots where app_id = $appId and bot = $bot',
        bot,
      )
      return row ?? null
    },
  }
}

async function add(
  session: Session,
  { binding, linkHash, waitingMax, now }: NewBinding,
): Promise<{ added: true } | { added: false; retryAt: number }> {
  const { appId, mode } = binding
  // Bindings of an app that are counted are added one after another.
  await lockApp(session, appId)
  // The last but `waitingMax - 1` to end; there is none while there are fewer.
  const [first] = await session.query<{ expiresAt: number }>(
    `select expires_at from bindings
    where app_id = $appId and mode = $mode and expires_at > $now
    order by expires_at desc limit 1 offset $most`,
    { appId, mode, now, most: waitingMax - 1 },
  )
  if (first) return { added: false, retryAt: first.expiresAt }
  await session.run(
    `insert into bindings (id, app_id, mode, bot, status, link_hash, chat_sealed, name,
      created_at, expires_at)
    values ($id, $appId, $mode, $bot, $status, $linkHash, $chatSealed, $name,
      $createdAt, $expiresAt)`,
    { ...binding, linkHash },
  )
  return { added: true }
}

async function ask(
  session: Session,
  { perChatMax, ...command }: AskCommand,
): Promise<Awaited<ReturnType<BindingStore['ask']>>> {
  const { appId, keyId } = command
  // Until the end of this transaction the app gets no other data key and its chats no other binding.
  await lockApp(session, appId)
  const [before] = await session.query<{ status: string }>(
    `select status from bindings
    where ${ofKey} and update_id = $updateId and chat_index = $chatIndex`,
    command,
  )
  if (before) return before.status === 'asked' ? 'asked' : 'done'
  const [app] = await session.query<{ keyId: string; count: number }>(
    `select data_key_id as key_id,
      (select count(*) from bindings where app_id = $appId and mode = $mode
        and chat_index = $chatIndex and (expires_at is null or expires_at > $now)) as count
    from apps where id = $appId`,
    command,
  )
  if (app?.keyId !== keyId) return 'rekeyed'
  if (app.count >= perChatMax) return 'too_many'
  const used = await session.run(
    `update bindings set status = 'asked', update_id = $updateId, chat_index = $chatIndex,
      chat_sealed = $chatSealed, key_id = $keyId, name = $name, expires_at = $expiresAt
    where ${ofKey} and status = 'waiting' and expires_at > $now`,
    command,
  )
  return used > 0 ? 'asked' : 'refused'
}

const answer = `
  update bindings set
    expires_at = case when status = 'asked' then $expiresAt else expires_at end,
    status = case when status = 'asked' then $status else status end
  where id = $id and app_id = $appId and bot = $bot and chat_index = $chatIndex
    and (status = 'asked' and expires_at > $now or status = $status
      or status = 'active' and $status = 'answered')
  returning ${columns}`

const confirm = `
  update bindings set
    expires_at = case when status = 'answered' then $expiresAt else expires_at end,
    status = 'active'
  where ${ofKey} and (expires_at is null or expires_at > $now)
    and status in ('answered', 'active')
  returning ${columns}`

const reseal = `
  update bindings set chat_sealed = $to, key_id = $keyId
  where id = $id and app_id = $appId and chat_sealed = $from`

const drop = 'delete from bindings where id = $id and chat_sealed = $from'
