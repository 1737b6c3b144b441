import type { BotOutcome, Bots } from '../../src/domain/telegram/bot.ts'

type Said = Parameters<Bots['say']>[1] & { edited?: true }

/** Bots that only record what they say, and answer as the test tells them. */
export type RecordingBots = Bots & {
  said: Said[]
  /** The outcome of the next messages; `said` for those that are not told. */
  outcomes: BotOutcome[]
  /** What `username` answers. */
  name: { username: string } | { fault: string }
}

export function recordingBots(): RecordingBots {
  const bots: RecordingBots = {
    said: [],
    outcomes: [],
    name: { username: 'acme_codes_bot' },
    username: async () => bots.name,
    async say(_, message) {
      bots.said.push(message)
      return bots.outcomes.shift() ?? 'said'
    },
    async replace(_, { chat, sentence, language }) {
      bots.said.push({ chat, sentence, language, edited: true })
    },
  }
  return bots
}
