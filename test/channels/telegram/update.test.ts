import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { readUpdate } from '../../../src/channels/telegram/update.ts'

const ada = {
  ...{ id: 1001, is_bot: false, first_name: 'Ada', last_name: 'Lovelace', username: 'ada_l' },
  language_code: 'en-GB',
}
const chat = { id: 1001, type: 'private', first_name: 'Ada' }
const person = { firstName: 'Ada', lastName: 'Lovelace', username: 'ada_l', language: 'en-GB' }
const binding = 'a1B2'.repeat(7).concat('c3')
const payload = 'abcDEF012_-'.repeat(4)

function message(text: string, change: Record<string, unknown> = {}) {
  return { update_id: 7, message: { message_id: 3, date: 1, from: ada, chat, text, ...change } }
}

function press(data: unknown, change: Record<string, unknown> = {}) {
  const query = { id: 'q1', from: ada, message: { message_id: 9, date: 1, chat }, data, ...change }
  return { update_id: 7, callback_query: query }
}

test('a start in a private chat has its payload and its person', () => {
  expect(readUpdate(message(`/start ${payload}`))).toEqual({
    id: 7,
    update: { id: 7, kind: 'start', chat: '1001', payload, person },
  })
  expect(readUpdate(message('/start'))?.update).toMatchObject({ kind: 'start', payload: '' })
  expect(readUpdate(message('/stop'))?.update).toEqual({
    id: 7,
    kind: 'stop',
    chat: '1001',
    person,
  })
})

test('a pressed button names a binding and an answer', () => {
  expect(readUpdate(press(`y${binding}`))?.update).toEqual({
    ...{ id: 7, kind: 'answer', chat: '1001', person, callback: 'q1', message: 9 },
    ...{ binding, agrees: true },
  })
  expect(readUpdate(press(`n${binding}`))?.update).toMatchObject({ agrees: false })
})

test('a block counts, and an unblock does not', () => {
  const member = (status: string, place: object = chat) => ({
    update_id: 7,
    my_chat_member: { chat: place, from: ada, date: 1, new_chat_member: { user: {}, status } },
  })
  expect(readUpdate(member('kicked'))?.update).toEqual({ id: 7, kind: 'left', chat: '1001' })
  expect(readUpdate(member('member'))).toEqual({ id: 7, update: null })
  expect(readUpdate(member('kicked', { id: -100, type: 'supergroup' }))?.update).toBe(null)
})

const start = `/start ${payload}`

test.each([
  ['a group', message(start, { chat: { id: -5, type: 'group' } })],
  ['a group with the id of its person', message(start, { chat: { id: 1001, type: 'group' } })],
  ['a supergroup', message(start, { chat: { id: -1005, type: 'supergroup' } })],
  ['a channel', { update_id: 7, channel_post: message(start).message }],
  ['a chat of somebody else', message(start, { chat: { id: 1002, type: 'private' } })],
  ['a bot', message(start, { from: { ...ada, is_bot: true } })],
  ['nobody', message(start, { from: undefined })],
  ['a forwarded start', message(start, { forward_origin: { type: 'user', date: 1 } })],
  ['an old kind of forwarded start', message(start, { forward_from: ada, forward_date: 1 })],
  ['an inline bot', message(start, { via_bot: { id: 5 } })],
  ['an edited start', { update_id: 7, edited_message: message(start).message }],
  ['a payload that is too long', message(`/start ${'a'.repeat(65)}`)],
  ['a payload of other letters', message('/start a b')],
  ['a start for another bot', message(`/start@other ${payload}`)],
  ['other text', message('hello')],
  ['a picture', message(start, { text: undefined, photo: [] })],
  ['a button of another form', press('yes')],
  ['a button that is no text', press({ y: binding })],
  ['a button in a group', press(`y${binding}`, { message: { chat: { id: -5, type: 'group' } } })],
  ['a button of somebody else', press(`y${binding}`, { from: { ...ada, id: 1002 } })],
  ['a button without a message', press(`y${binding}`, { message: undefined })],
])('%s asks for nothing', (_, update) => {
  expect(readUpdate(update)).toEqual({ id: 7, update: null })
})

test('whatever JSON comes is read without an exception, and without an id it is no update', () => {
  for (const value of [null, 7, 'x', [], {}, { update_id: '7' }, { update_id: 1.5 }]) {
    expect(readUpdate(value)).toBe(null)
  }
  const anything = fc.oneof(fc.jsonValue(), fc.constantFrom(ada, chat, start))
  fc.assert(
    fc.property(anything, anything, anything, (from, place, text) => {
      const read = readUpdate({ update_id: 7, message: { from, chat: place, text } })
      expect(read?.id).toBe(7)
      readUpdate({ update_id: 7, callback_query: { from, message: place, data: text } })
      readUpdate({ update_id: 7, my_chat_member: from })
    }),
  )
})

test('a language that is none is as if there were none', () => {
  const read = (language_code: unknown) => {
    const update = readUpdate(message('/stop', { from: { ...ada, language_code } }))?.update
    return update?.kind === 'stop' ? update.person.language : undefined
  }
  expect([read('pt-br'), read('x!'), read(7), read(undefined)]).toEqual(['pt-BR', null, null, null])
})
