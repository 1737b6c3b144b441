import { storyEvents } from '../domain/event.ts'

/** The condition of the index `events_of_verification`, in its words, and that it is this verification's. */
export const ofVerification = `
  where verification_id = $verificationId and app_id = $appId
    and type in (${storyEvents.map((type) => `'${type}'`).join(', ')})
  order by id limit 100`
