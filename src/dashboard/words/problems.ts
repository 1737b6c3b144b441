import { language } from '../preferences.ts'
import { words } from './words.ts'

/** Refusals that any screen may meet, by their code. */
const known = words<Record<string, string>>({
  en: {
    unreachable: 'The server did not answer. Check the connection, then try again.',
    forbidden: 'Your role does not allow this.',
    confirmation_required: 'Not done: your password was not confirmed.',
    foreign_origin: 'The server refused this, because it did not come from its own page.',
    rate_limited: 'Too many requests. Wait a moment, then try again.',
    internal_error: 'Something went wrong on the server. Its log says what.',
    invalid_request: 'Please check the marked fields.',
    last_admin: 'This is the only admin. Invite another one first.',
  },
  de: {
    unreachable:
      'Der Server hat nicht geantwortet. Bitte Verbindung prüfen und noch einmal versuchen.',
    forbidden: 'Ihre Rolle erlaubt das nicht.',
    confirmation_required: 'Nicht ausgeführt: Ihr Passwort wurde nicht bestätigt.',
    foreign_origin: 'Der Server hat das abgelehnt, weil es nicht von seiner eigenen Seite kam.',
    rate_limited: 'Zu viele Anfragen. Bitte einen Moment warten und noch einmal versuchen.',
    internal_error: 'Auf dem Server ist etwas schiefgegangen. Was, steht in seinem Protokoll.',
    invalid_request: 'Bitte die markierten Felder prüfen.',
    sign_in_refused: 'Name, Passwort oder Code stimmt nicht.',
    second_step_required: 'Der Code des zweiten Schritts fehlt.',
    unauthorized: 'Sie sind nicht mehr angemeldet.',
    account_name_taken: 'Diesen Namen hat schon jemand.',
    account_not_found: 'Dieses Konto gibt es nicht (mehr).',
    session_not_found: 'Diese Sitzung ist schon beendet.',
    too_many_accounts: 'Es gibt schon hundert Konten.',
    last_admin: 'Das ist der einzige Admin. Laden Sie zuerst einen zweiten ein.',
    not_found: 'Das gibt es nicht (mehr).',
    store_unavailable: 'Die Datenbank nimmt gerade keine Änderungen an.',
    shutting_down: 'Der Server hält gerade an.',
    app_not_found: 'Diese App gibt es nicht (mehr).',
    app_paused: 'Diese App ist angehalten.',
    too_many_keys: 'Zwei Schlüssel dieser Art sind schon aktiv.',
    too_many_endpoints: 'Mehr Wege dieses Kanals kann die App nicht haben.',
    too_many_webhooks: 'Die App hat schon zehn Webhooks.',
    secret_required: 'Wer ändert, wohin ein Weg führt, muss sein Geheimnis noch einmal eingeben.',
    template_not_found: 'Diese Vorlage gibt es nicht (mehr).',
    verification_not_found: 'Diese Bestätigung gibt es nicht (mehr).',
  },
})

/** A sentence for a refusal: ours where there is one, else the server's, which is English. */
export function problemText({ code, message }: { code: string; message: string }): string {
  return known()[code] ?? message
}

/** The language of `problemText`, for the `lang` of the element that shows it. */
export function problemLanguage({ code }: { code: string }): string {
  return code in known() ? language.value : 'en'
}
