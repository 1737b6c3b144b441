import type { Database } from 'bun:sqlite'
import type { Binding, BindingKey } from '../../domain/telegram/binding.ts'
import type {
  AnswerCommand,
  AskCommand,
  BindingRenewal,
  BindingStore,
  BotKey,
  NewBinding,
} from '../../domain/telegram/store.ts'
import { toPage } from '../page.ts'
import type { AuditChain } from './audit.ts'
import type { Parts } from './parts.ts'

type Deps = Parts & { audit: AuditChain }

export function createBindingStore({ database, read, write, audit }: Deps): BindingStore {
  const reads = prepareReads(database)
  const writes = prepareWrites(database)
  const ask = createAsk(database)
  const renewals = prepareRenewals(database)
  const bots = prepareBots(database)

  return {
    add: ({ binding, linkHash, waitingMax, now }) =>
      write(() => {
        const { appId, mode } = binding
        const first = reads.beyond.get({ appId, mode, now, most: waitingMax - 1 })
        if (first) return { added: false, retryAt: first.expiresAt }
        writes.insert.run({ ...binding, linkHash })
        return { added: true }
      }, 'start'),
    get: (key) => read(() => reads.get.get(key)),
    findByLink: (query) => read(() => reads.byLink.get(query)),
    ask: (command) => write(() => ask(command)),
    answer: (command) => write(() => writes.answer.get(command)),
    confirm: (command) => write(() => writes.confirm.get(command)),
    remove: (key) => write(() => writes.remove.run(key).changes > 0),
    removeAudited: (command, append) =>
      write(() => {
        if (!audit.isNext(append)) return 'head_moved'
        if (writes.removeOf.run(command).changes === 0) return false
        audit.append(append)
        return true
      }),
    leave: (command) => write(() => writes.leave.run(command).changes),
    list: ({ appId, limit, cursor }) =>
      read(() => toPage(reads.list.all({ appId, before: cursor ?? '~', limit: limit + 1 }), limit)),
    sealedOtherwise: (keyId, limit) => read(() => renewals.otherwise.all({ keyId, limit })),
    reseal: (all) =>
      write(() => {
        for (const { to, ...renewal } of all) {
          if (to === null) renewals.drop.run({ id: renewal.id, from: renewal.from })
          else renewals.reseal.run({ ...renewal, to })
        }
      }),
    nextUpdate: (bot) => read(() => bots.next.get(bot)),
    setNextUpdate: (command) => write(() => void bots.set.run(command)),
  }
}

const columns = `id, app_id as appId, mode, bot, status, name, chat_sealed as chatSealed,
  created_at as createdAt, expires_at as expiresAt`
const ofKey = 'id = $id and app_id = $appId and mode = $mode'

function prepareReads(database: Database) {
  return {
    get: database.prepare<Binding, BindingKey>(`select ${columns} from bindings where ${ofKey}`),
    byLink: database.prepare<Binding, BotKey & { linkHash: Uint8Array }>(`
      select ${columns} from bindings
      where link_hash = $linkHash and app_id = $appId and bot = $bot`),
    /** The last but `most` to end; there is none while there are fewer. */
    beyond: database.prepare<
      { expiresAt: number },
      { appId: string; mode: string; now: number; most: number }
    >(`
      select expires_at as expiresAt from bindings
      where app_id = $appId and mode = $mode and expires_at > $now
      order by expires_at desc limit 1 offset $most`),
    list: database.prepare<Binding, { appId: string; before: string; limit: number }>(`
      select ${columns} from bindings where app_id = $appId and id < $before
      order by id desc limit $limit`),
  }
}

function prepareWrites(database: Database) {
  return {
    insert: database.prepare<null, Omit<Binding, never> & Pick<NewBinding, 'linkHash'>>(`
      insert into bindings (id, app_id, mode, bot, status, link_hash, chat_sealed, name,
        created_at, expires_at)
      values ($id, $appId, $mode, $bot, $status, $linkHash, $chatSealed, $name,
        $createdAt, $expiresAt)`),
    answer: database.prepare<Binding, AnswerCommand>(`
      update bindings set
        expires_at = case when status = 'asked' then $expiresAt else expires_at end,
        status = case when status = 'asked' then $status else status end
      where id = $id and app_id = $appId and bot = $bot and chat_index = $chatIndex
        and (status = 'asked' and expires_at > $now or status = $status
          or status = 'active' and $status = 'answered')
      returning ${columns}`),
    confirm: database.prepare<Binding, BindingKey & { now: number; expiresAt: number | null }>(`
      update bindings set
        expires_at = case when status = 'answered' then $expiresAt else expires_at end,
        status = 'active'
      where ${ofKey} and (expires_at is null or expires_at > $now)
        and status in ('answered', 'active')
      returning ${columns}`),
    remove: database.prepare<null, BindingKey>(`delete from bindings where ${ofKey}`),
    removeOf: database.prepare<null, { appId: string; id: string }>(
      'delete from bindings where id = $id and app_id = $appId',
    ),
    leave: database.prepare<null, BotKey & { chatIndex: Uint8Array }>(
      'delete from bindings where app_id = $appId and chat_index = $chatIndex and bot = $bot',
    ),
  }
}

function createAsk(database: Database): (command: AskCommand) => AskResult {
  const keyOf = database.prepare<{ keyId: string }, { appId: string }>(
    'select data_key_id as keyId from apps where id = $appId',
  )
  const ofUpdate = database.prepare<{ status: string }, OfUpdate>(`
    select status from bindings
    where ${ofKey} and update_id = $updateId and chat_index = $chatIndex`)
  const count = database.prepare<{ count: number }, OfChat>(`
    select count(*) as count from bindings
    where app_id = $appId and mode = $mode and chat_index = $chatIndex
      and (expires_at is null or expires_at > $now)`)
  const use = database.prepare<null, Omit<AskCommand, 'perChatMax'>>(`
    update bindings set status = 'asked', update_id = $updateId, chat_index = $chatIndex,
      chat_sealed = $chatSealed, key_id = $keyId, name = $name, expires_at = $expiresAt
    where ${ofKey} and status = 'waiting' and expires_at > $now`)

  return ({ perChatMax, ...command }) => {
    const { appId, mode, id, updateId, chatIndex, keyId, now } = command
    const before = ofUpdate.get({ appId, mode, id, updateId, chatIndex })
    if (before) return before.status === 'asked' ? 'asked' : 'done'
    if (keyOf.get({ appId })?.keyId !== keyId) return 'rekeyed'
    const chat = count.get({ appId, mode, chatIndex, now })
    if (chat && chat.count >= perChatMax) return 'too_many'
    return use.run(command).changes > 0 ? 'asked' : 'refused'
  }
}

function prepareRenewals(database: Database) {
  return {
    otherwise: database.prepare<Binding, { keyId: string; limit: number }>(`
      select ${columns} from bindings where key_id <> $keyId limit $limit`),
    reseal: database.prepare<null, BindingRenewal & { to: Uint8Array }>(`
      update bindings set chat_sealed = $to, key_id = $keyId
      where id = $id and app_id = $appId and chat_sealed = $from`),
    drop: database.prepare<null, { id: string; from: Uint8Array }>(
      'delete from bindings where id = $id and chat_sealed = $from',
    ),
  }
}

function prepareBots(database: Database) {
  return {
    next: database.prepare<{ id: number; at: number }, BotKey>(
      'select next_update as id, at from bots where app_id = $appId and bot = $bot',
    ),
    set: database.prepare<null, BotKey & { id: number; at: number }>(`
      insert or replace into bots (app_id, bot, next_update, at)
      values ($appId, $bot, $id, $at)`),
  }
}

type AskResult = Awaited<ReturnType<BindingStore['ask']>>
type OfUpdate = Pick<AskCommand, 'appId' | 'mode' | 'id' | 'updateId' | 'chatIndex'>
type OfChat = Pick<AskCommand, 'appId' | 'mode' | 'chatIndex' | 'now'>
