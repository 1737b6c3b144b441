import type { Endpoint } from '../wire.ts'
import { words } from './words.ts'

export type Channel = Endpoint['channel']

/** The names of the channels. */
export const channelWords = words<Record<Channel, string>>({
  en: {
    email: 'E-mail',
    webhook: 'Webhook',
    sms: 'SMS',
    whatsapp: 'WhatsApp',
    telegram: 'Telegram',
    telegram_gateway: 'Telegram Gateway',
  },
  de: {
    email: 'E-Mail',
    webhook: 'Webhook',
    sms: 'SMS',
    whatsapp: 'WhatsApp',
    telegram: 'Telegram',
    telegram_gateway: 'Telegram Gateway',
  },
})
